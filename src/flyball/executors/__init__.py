"""Where one function runs apart: child processes, and the supervisor that keeps servers alive."""
