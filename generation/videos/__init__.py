"""The OpenAI-compatible videos resource (openai-python 3.54's shapes), with our own fields beside it."""
