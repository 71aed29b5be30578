"""How fast the inference server answers, beside servers that do less and servers one might pick.

``python -m benchmarks.serving``; what its parts are is said in ``__main__``.
"""
