"""The jet-tagging task: simulate, read, check and (later) learn jets of five classes.

Import what is needed from the modules; this package imports nothing by itself.
"""
