"""The face that programs of OpenAI's protocol know: they chat through chatweb, and what they say is
kept."""
