"""gunicorn.conf.py for a bare app: the same settings, and nothing of chatweb is imported."""

import gunicorn.util

workers = 2
worker_class = "gthread"
threads = 256
keepalive = 10
preload_app = True
control_socket_disable = True

close = gunicorn.util.close_graceful
gunicorn.util.close_graceful = lambda sock, timeout=0.02: close(sock, timeout=timeout)
