"""Quality of Japanese text: signals, profiles that decide from them, words, personal data.

The package knows text in Arrow arrays and nothing of files; it imports neither `corpus` nor
`trainer`.
"""
