"""Coefficients and exact test values for `src/engine/kernels/exp.rs`. Needs mpmath.

    python3 exp2.py coefficients     prints the minimax coefficients of q in 2^r = 1 + r q(r)
    python3 exp2.py table            writes the sixteen values 2^(j/16)
    python3 exp2.py values > exp2.csv    z, then 2^z as the sum of two doubles, for z over the whole range
"""
import sys
from mpmath import mp, mpf, matrix, lu_solve, cos, pi, log, power, linspace

mp.dps = 60


def minimax(half, degree, rounds=12):
    """Remez: q of the given degree on [-half, half], for the relative error of 1 + r q(r)."""
    q = lambda r: log(2) if r == 0 else (power(2, r) - 1) / r
    weight = lambda r: r / power(2, r)
    n = degree + 2
    # Slightly off the Chebyshev points, so that none is r = 0, where the weight vanishes.
    points = [half * cos(pi * (2 * i + mpf(1.01)) / (2 * n)) for i in range(n)]
    for _ in range(rounds):
        a = matrix(n, n)
        b = matrix(n, 1)
        for i, r in enumerate(points):
            for k in range(degree + 1):
                a[i, k] = r**k
            a[i, n - 1] = (-1) ** i / abs(weight(r))
            b[i] = q(r)
        c = lu_solve(a, b)
        error = lambda r: (sum(c[k] * r**k for k in range(degree + 1)) - q(r)) * weight(r)
        grid = linspace(-half, half, 4001)
        values = [error(r) for r in grid]
        extrema = []
        for i, v in enumerate(values):
            ends = (i == 0 or abs(v) >= abs(values[i - 1])) and (i == len(grid) - 1 or abs(v) > abs(values[i + 1]))
            if ends:
                if extrema and (extrema[-1][1] > 0) == (v > 0):
                    if abs(v) > abs(extrema[-1][1]):
                        extrema[-1] = (grid[i], v)
                else:
                    extrema.append((grid[i], v))
        if len(extrema) < n:
            break
        extrema = sorted(sorted(extrema, key=lambda e: -abs(e[1]))[:n])
        points = [e[0] for e in extrema]
    return [c[k] for k in range(degree + 1)], max(abs(v) for v in values)


def coefficients():
    for name, half, degree in [
        ("f64, [-1/2, 1/2]", mpf(1) / 2, 10),
        ("f32, [-1/2, 1/2]", mpf(1) / 2, 5),
        ("f64, [-1/32, 1/32]", mpf(1) / 32, 5),
        ("f32, [-1/32, 1/32]", mpf(1) / 32, 2),
    ]:
        c, error = minimax(half, degree)
        print(name, "largest relative error", mp.nstr(error, 3))
        for x in c:
            print("   ", repr(float(x)))


def table():
    for j in range(16):
        print(repr(float(power(2, mpf(j) / 16))))


def values():
    zs = []
    for i in range(-1022, 1024):
        zs.append(i + ((i * 2654435761) % 1000003) / 1000003)
    zs += [0.0, -0.0, 1e-300, -1e-300, 1e-17, -1e-17, 0.5, -0.5, 1 / 32, -1 / 32, 1023.9999999999999, -1022.0]
    for z in zs:
        exact = power(2, mpf(z))
        high = float(exact)
        print(f"{z!r},{high!r},{float(exact - mpf(high))!r}")


{"coefficients": coefficients, "table": table, "values": values}[sys.argv[1]]()
