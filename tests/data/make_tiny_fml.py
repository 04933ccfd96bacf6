"""Write the graph that hls4ml saves of a small model: ``python tests/data/make_tiny_fml.py``.

tiny.fml: 4 features, two dense layers of floats with a softmax, converted with what hls4ml sets
when nothing is said but narrow types by name, and saved by hls4ml 1.3.0.
"""

from pathlib import Path

from tests.fml_models import dense_softmax, save_fml

HERE = Path(__file__).parent

if __name__ == "__main__":
    save_fml(dense_softmax(), HERE / "tiny.fml")
