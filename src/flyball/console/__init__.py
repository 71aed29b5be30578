"""The control process: the loop's clockwork, the control API and the operator's page."""
