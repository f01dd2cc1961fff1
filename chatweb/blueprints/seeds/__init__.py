"""The addresses of two earlier systems, so that their front ends can be pointed here.

Thin views on the services of everything else, in the words of those systems: ``sessions`` speaks as
the chat bot did, ``book`` as the book assistant.
"""
