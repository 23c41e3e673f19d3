"""`python -m critic_trainer.engines.ray.nodes N`: exit code 0 if Ray (at RAY_ADDRESS) runs on N nodes, else 1."""

import sys


def main(arguments: list[str]) -> int:
    """Prints how many nodes there are."""
    import ray

    ray.init(logging_level="ERROR", log_to_driver=False)
    alive = sum(1 for node in ray.nodes() if node["Alive"])
    sys.stdout.write(f"Ray runs on {alive} nodes\n")
    return 0 if alive >= int(arguments[0]) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
