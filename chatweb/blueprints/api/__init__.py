"""The program interface: JSON in and out, on the services that the pages use.

``described`` checks what comes and answers, ``shapes`` are what is checked, ``description`` tells
the world of both. The views have no logic of their own.
"""
