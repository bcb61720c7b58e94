"""The product's rules once more, from docs/design alone, and random sequences that compare the server with them.

`python3 -m tests.soak.model RUNS [SEED]` runs many; tests/model/test_model.py runs a few. The model is product.py,
judge.py, messages.py, facts.py, clones.py and licenses.py. They import nothing of lts: a mistake made in both would go
unnoticed.
"""
