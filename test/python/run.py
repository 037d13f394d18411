"""
Runs the tests of this folder that are named, or all, as a Python host would: what is ours comes last on the path. With
`--ours` it comes first: before the real `mlserver`.
"""

import os
import sys
import unittest
import warnings

HERE = os.path.dirname(os.path.abspath(__file__))
OURS = os.path.join(os.path.dirname(os.path.dirname(HERE)), "python")
sys.path.insert(0 if "--ours" in sys.argv else len(sys.path), OURS)
warnings.simplefilter("ignore")

names = [name for name in sys.argv[1:] if name != "--ours"] or sorted(name[:-3] for name in os.listdir(HERE) if name.startswith("test_"))
result = unittest.TextTestRunner(verbosity=0).run(unittest.defaultTestLoader.loadTestsFromNames(names))
sys.exit(0 if result.wasSuccessful() and result.testsRun > 0 else 1)
