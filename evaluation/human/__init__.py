"""The suite `human`: words that people find alike in sound lie close together."""
