"""Reference tasks: simulate data, train the model, judge its physics."""
