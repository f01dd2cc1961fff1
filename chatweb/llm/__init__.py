"""Talking to a model: the protocol's client, prompts, and the local demonstration model."""
