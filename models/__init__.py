"""The networks: weights, manifests, cards, and how they were made."""
