"""The picture and what is shown over it."""
