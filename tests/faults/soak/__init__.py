"""The long runs: chatweb with two workers, people who use it in every way, and trouble.

``python -m tests.faults.soak`` mixes everything for some minutes, ``python -m tests.faults.kills``
kills after each acknowledgement. Both are judged by ``tests.faults.invariants``, as every fault.
"""
