"""What chatweb costs, measured beside bare Flask apps in the same run.

``python -m bench`` prints the figures of DESIGN.md section 9 with their goals; ``python -m bench
page chats`` only some rows.  Machines differ and are noisy: where two things are compared they
take turns, and medians are printed.  All load goes to 127.0.0.1, from this process, and is
bounded in number and time.
"""
