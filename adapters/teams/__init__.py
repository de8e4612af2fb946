"""The surface Microsoft Teams: cards as messages, answers as presses, forms and replies."""
