"""Exact values of what the certificates compute with bounds on rounding, for `src/certificate/rounding.rs`.

    python3 rounding.py > rounding.json

Needs mpmath; 60 digits. The inputs are decimals, to be parsed as doubles, and count as exact. An exact value v is
written as a double: the next above v where a certificate has an upper bound, the next below where it has a lower one, so
that a comparison with the double decides the comparison with v.

Per problem: x (n rows), w (m rows), a, y, eta, share (rho = 1 - share gap). Of the network at w:

    condition, lam_1, lam_n   of G_0
    s0                        ||P e_0||
    ell, lip, trace, plus     by neuron: ell_r, lip_r as operator norm and by its trace, lip+_r
    reach                     t_ri of neuron 0 and the last, n each
    b2                        the smaller norm of B's unfoldings, or L1 if that is less
    newton, newton_trace      theorem N with L1 as norm and b2, with L1 by traces without b2: [t, p_t, Lq, D^] or null
    slope                     [s, g'(s) by |P|, g'(s) by lam_1] of theorem F
    y0                        a lower bound, equal to y0 where `direct` is true
    gam                       a lower bound on Gam, from single vectors f
    move, q1, b1              the suprema of theorem G over some t, and t = infinity: by neuron, and of all

`chains` has gradient descent from further networks: the exact weights after some steps.

With pairs of neurons that cancel (w, |a| equal, signs opposite, at 2 k and 2 k + 1) the lists have one entry per pair, and
b2 = b1 = 0.
"""
import json
import math
import random
import sys

from mpmath import mp, mpf, matrix, exp, expm1, sqrt, eigsy

mp.dps = 60
SERIES = 25


def nearest(v, up):
    """The double next to v on the given side (v itself if it is one)."""
    f = float(v)
    while mpf(f) < v and up:
        f = next_after(f, 1)
    while mpf(f) > v and not up:
        f = next_after(f, -1)
    return f


def next_after(f, direction):
    return math.nextafter(f, math.inf * direction)


def h2(x):
    """e^x - 1 - x."""
    if x > mpf("0.01"):
        return exp(x) - 1 - x
    total, term = mpf(0), x * x / 2
    for k in range(3, 3 + SERIES):
        total += term
        term *= x / k
    return total


def dot(u, v):
    return mp.fsum(a * b for a, b in zip(u, v))


def norm(v):
    return sqrt(mp.fsum(a * a for a in v))


def largest(gram):
    """The largest eigenvalue of a positive semidefinite matrix, given as rows."""
    n = len(gram)
    return gram[0][0] if n == 1 else max(eigsy(matrix(gram), eigvals_only=True))


def operator_norm(rows):
    """||A||, from A A^T."""
    return sqrt(largest([[dot(u, v) for v in rows] for u in rows]))


class Problem:
    """A network and data, and what the theorems need of them, exactly."""

    def __init__(self, x, w, a, y):
        self.x = [[mpf(v) for v in row] for row in x]
        w = [[mpf(v) for v in row] for row in w]
        a = [mpf(v) for v in a]
        pairs = range(0, len(a) - 1, 2)
        self.paired = len(a) % 2 == 0 and all(w[r] == w[r + 1] and a[r] == -a[r + 1] for r in pairs)
        self.copies = 2 if self.paired else 1
        self.w, self.a = (w[::2], a[::2]) if self.paired else (w, a)
        n, m = len(x), len(self.w)
        self.n, self.m = n, m
        self.E = [[abs(self.a[r]) * exp(dot(self.w[r], self.x[i])) for i in range(n)] for r in range(m)]
        self.signs = [1 if v >= 0 else -1 for v in self.a]
        self.K = [[dot(u, v) for v in self.x] for u in self.x]
        self.norms = [norm(row) for row in self.x]
        self.kappa = max(self.norms)
        G = [[self.copies * self.K[i][j] * mp.fsum(E[i] * E[j] for E in self.E) for j in range(n)] for i in range(n)]
        if n == 1:
            values, vectors = [G[0][0]], [[mpf(1)]]
        else:
            lam, V = eigsy(matrix(G))
            order = sorted(range(n), key=lambda k: lam[k])
            values, vectors = [lam[k] for k in order], [[V[i, k] for i in range(n)] for k in order]
        self.lam = values
        if values[0] <= mpf("1e-25") * values[-1]:
            raise ZeroDivisionError("G is singular")
        self.P = [[v / sqrt(value) for v in vector] for value, vector in zip(values, vectors)]
        self.M = [[mp.fsum(row[i] * row[j] for row in self.P) for j in range(n)] for i in range(n)]
        F = [0 if self.paired else mp.fsum(s * E[i] for s, E in zip(self.signs, self.E)) for i in range(n)]
        self.e = [f - mpf(v) for f, v in zip(F, y)]
        self.phi = [dot(row, self.e) for row in self.P]
        self.s0 = norm(self.phi)
        self.measure()

    def measure(self):
        n, K, M = self.n, self.K, self.M
        def quadratic(form, v):
            return mp.fsum(form(i, j) * v[i] * v[j] for i in range(n) for j in range(n))
        self.ell, self.lip, self.trace, self.plus, self.tau = [], [], [], [], []
        for E in self.E:
            PE = [[p * e for p, e in zip(row, E)] for row in self.P]
            U = [[mp.fsum(row[i] * self.x[i][k] for i in range(n)) for k in range(len(self.x[0]))] for row in PE]
            self.ell.append(operator_norm(U))
            gram = [[mp.fsum(u[i] * v[j] * K[i][j] ** 2 for i in range(n) for j in range(n)) for v in PE] for u in PE]
            self.lip.append(sqrt(largest(gram)))
            self.trace.append(sqrt(quadratic(lambda i, j: K[i][j] ** 2 * M[i][j], E)))
            sized = [e * norm for e, norm in zip(E, self.norms)]
            self.plus.append(sqrt(quadratic(lambda i, j: abs(K[i][j] * M[i][j]), sized)))
            self.tau.append([[dot(row, x) for row in U] for x in self.x])
        self.t = [[norm(tau) for tau in of_neuron] for of_neuron in self.tau]
        self.B, self.b2 = None, mpf(0)
        if not self.paired:
            inner = [
                [[mp.fsum(s * E[i] * tau[i][j] * tau[i][l] for s, E, tau in zip(self.signs, self.E, self.tau)) for l in range(n)] for j in range(n)]
                for i in range(n)
            ]
            self.B = [
                [[mp.fsum(self.P[k][i] * inner[i][j][l] for i in range(n)) for l in range(n)] for j in range(n)]
                for k in range(n)
            ]
            flat = [[v for row in B for v in row] for B in self.B]
            turned = [[self.B[k][j][l] for k in range(n) for l in range(n)] for j in range(n)]
            # L1 may stand for b2.
            self.b2 = min(operator_norm(flat), operator_norm(turned), max(self.lip))

    def newton(self, L1, b2):
        """Theorem N: [t, p_t, Lq, D^], or None."""
        L2, kappa = max(self.plus), self.kappa
        def om2(D):
            return L2 * h2(kappa * D) / kappa
        def om(D):
            return L1 * D + om2(D)
        D, res = mpf(0), self.s0
        for s in range(61):
            nu = om(D)
            if nu >= 1:
                return None
            p = res / (1 - nu)
            far = D + 2 * p
            if kappa * far < 600 and om(far) < 1:
                Lq = (L1 + L2 * expm1(kappa * far)) / (1 - om(far))
                if p * Lq <= mpf("0.5") * (1 - mpf("1e-6")):
                    return [s, p, Lq, D + 4 * p / 3]
                if p * Lq <= mpf("0.5"):
                    return None
            by_tensor = mp.inf if b2 is None else (b2 + 2 * L1 * nu + L1 * nu ** 2) / (1 - nu) ** 2
            res = p ** 2 / 2 * min(L1, by_tensor) + p / 2 * (om2(D + p) - om2(D))
            D += p
        return None

    def slope(self, s):
        """g'(s) with b2, by entries and by the smallest eigenvalue."""
        psi = [self.copies * mp.fsum(E[i] * t[i] * h2(t[i] * s) for E, t in zip(self.E, self.t)) for i in range(self.n)]
        return (self.b2 * s + norm([dot(map(abs, row), psi) for row in self.P]), self.b2 * s + norm(psi) / sqrt(self.lam[0]))

    def path(self, eta, share):
        """[y0, whether it is exact, a lower bound on Gam] at the step size eta."""
        z = [eta * lam for lam in self.lam]
        gap = 1 - max(abs(1 - v) for v in z)
        rho = 1 - share * gap
        mu = [abs(1 - v) / rho for v in z]
        def total(f, steps):
            terms, head = [v * c for v, c in zip(z, f)], mpf(0)
            for t in range(steps):
                head += norm(terms)
                terms = [term * m for term, m in zip(terms, mu)]
            tail = max(abs(term) / (1 - m) for term, m in zip(terms, mu))
            return head + tail, norm(terms) <= mpf("1e-25") * head * (1 - max(mu))
        y0, direct = total(self.phi, 600)
        units = [[mpf(i == k) for i in range(self.n)] for k in range(self.n)]
        mixed = [mpf(1) / sqrt(self.n)] * self.n
        gam = max(total(f, 60)[0] for f in [*units, mixed]) / rho
        return y0, direct, gam

    def suprema(self, eta):
        """Theorem G full: ||U_r^T cbar_t|| by neuron, ||N'(W_0)[U^T cbar_t]||, ||B(cbar_t, .)||, over some t."""
        n, d = self.n, len(self.x[0])
        move, q1, b1 = [mpf(0)] * self.m, mpf(0), mpf(0)
        for t in [1, 2, 3, 5, 8, 20, 63, 64, 65, 90, 200, 777, 10**4, 10**6, None]:
            c = [(1 - (1 - eta * lam) ** t if t else 1) * phi for lam, phi in zip(self.lam, self.phi)]
            dual = [mp.fsum(row[i] * v for row, v in zip(self.P, c)) for i in range(n)]
            blocks = []
            for r, E in enumerate(self.E):
                gradient = [mp.fsum(E[i] * dual[i] * self.x[i][k] for i in range(n)) for k in range(d)]
                move[r] = max(move[r], norm(gradient))
                blocks.append([E[i] * dot(gradient, self.x[i]) for i in range(n)])
            inner = [[self.copies * self.K[i][j] * mp.fsum(v[i] * v[j] for v in blocks) for j in range(n)] for i in range(n)]
            kernel = [[mp.fsum(u[i] * inner[i][j] * v[j] for i in range(n) for j in range(n)) for v in self.P] for u in self.P]
            q1 = max(q1, sqrt(largest(kernel)))
            if self.B:
                b1 = max(b1, operator_norm([[dot(row, c) for row in B] for B in self.B]))
        return move, q1, b1


draw = random.Random(20)


def decimals(v, digits=4):
    """A double that prints with few digits."""
    return float(f"{v:.{digits}g}")


def points(n, d, size=1.0):
    rows = [[draw.gauss(0, 1) for _ in range(d)] for _ in range(n)]
    return [[decimals(size * v / max(0.3, sum(u * u for u in row) ** 0.5)) for v in row] for row in rows]


def weights(m, d, sigma):
    return [[decimals(draw.gauss(0, sigma)) for _ in range(d)] for _ in range(m)]


def signs(m, largest=1.0):
    return [draw.choice([-1, 1]) * decimals(draw.uniform(1, largest)) for _ in range(m)]


def pairs(w, a):
    return [row for row in w for _ in range(2)], [v for u in a for v in (u, -u)]


def plain():
    n, d = draw.randint(1, 5), draw.randint(1, 4)
    m = draw.randint(-(-n // d), 8)
    return points(n, d), weights(m, d, draw.choice([0.3, 1.0])), signs(m, draw.choice([1.0, 4.5]))


def paired():
    x, w, a = plain()
    return (x, *pairs(w[:5], a[:5]))


def near_duplicates():
    """Two points 1e-1 to 1e-5 apart; with them, condition numbers to 1e9."""
    n, d = draw.randint(2, 5), draw.randint(2, 4)
    m = draw.randint(-(-n // d) + 1, 8)
    x = points(n, d)
    distance = 10.0 ** -draw.uniform(1, 5)
    x[1] = [decimals(v + draw.gauss(0, distance), 9) for v in x[0]]
    w, a = weights(m, d, 0.7), signs(m, draw.choice([1.0, 4.5]))
    return (x, *pairs(w[:4], a[:4])) if draw.random() < 0.3 else (x, w, a)


def tiny_rows():
    x, w, a = plain()
    k = draw.randrange(len(x))
    x[k] = [decimals(v * 10.0 ** -draw.randint(2, 4)) for v in x[k]]
    return x, w, a


def equal_neurons():
    n = draw.randint(1, 4)
    m = draw.randint(1, 8)
    return points(n, n), weights(1, n, 0.7) * m, signs(1) * m


def large_weights():
    n, d = draw.randint(1, 4), draw.randint(1, 3)
    m = draw.randint(n, 6)
    return points(n, d), weights(m, d, 8.0), signs(m)


def cancelling_exponents():
    """Weights of 1e4 to 1e6, whose products with the points nearly cancel: exponents near 0 with large errors."""
    n, m = draw.randint(1, 3), draw.randint(2, 5)
    size = 10.0 ** draw.uniform(4, 6)
    x, w = [], []
    for _ in range(n):
        u = decimals(draw.uniform(0.4, 0.9))
        x.append([u, decimals(u + draw.gauss(0, 1) / size, 12), decimals(draw.gauss(0, 0.8))])
    for _ in range(m):
        u = decimals(size * draw.uniform(0.5, 1))
        w.append([u, decimals(-u + draw.gauss(0, 1), 12), decimals(draw.gauss(0, 1))])
    return x, w, signs(m)


FAMILIES = [
    (plain, 26, 1e9), (paired, 14, 1e9), (near_duplicates, 40, 3e9), (tiny_rows, 14, 3e9), (equal_neurons, 8, 1e9),
    (large_weights, 12, 1e9), (cancelling_exponents, 16, 1e8),
]


def case(family, most):
    """One problem of a family, with e_0 of a size at which theorem N usually holds."""
    while True:
        x, w, a = family()
        try:
            zero = Problem(x, w, a, [0.0] * len(x))
        except ZeroDivisionError:
            continue
        if zero.lam[-1] / zero.lam[0] > most:
            continue
        direction = [draw.gauss(0, 1) for _ in x]
        size = draw.choice([0.02, 0.1, 0.3]) / max(zero.trace) / norm([dot(row, direction) for row in zero.P])
        F = [mpf(0)] * len(x) if zero.paired else zero.e
        y = [float(f + size * v) for f, v in zip(F, direction)]
        eta = decimals(float(draw.choice([0.5, 1.0, 1.0, 1.5, 1.9]) / zero.lam[-1]), 6)
        return x, w, a, y, eta, draw.choice([0.1, 0.5])


def exact(family, most):
    x, w, a, y, eta, share = case(family, most)
    of = Problem(x, w, a, y)
    up = lambda v: nearest(v, True)
    ups = lambda values: [up(v) for v in values]
    s = float(f"{2 * float(of.s0):.3g}")
    y0, direct, gam = of.path(mpf(eta), mpf(share))
    move, q1, b1 = of.suprema(mpf(eta))
    newton = lambda L1, b2: (lambda found: found and [found[0], *ups(found[1:])])(of.newton(L1, b2))
    return {
        "family": family.__name__, "x": x, "w": w, "a": a, "y": y, "eta": eta, "share": share,
        "condition": float(f"{float(of.lam[-1] / of.lam[0]):.3g}"),
        "lam_1": nearest(of.lam[0], False), "lam_n": up(of.lam[-1]), "s0": up(of.s0),
        "ell": ups(of.ell), "lip": ups(of.lip), "trace": ups(of.trace), "plus": ups(of.plus),
        "reach": [ups(of.t[0]), ups(of.t[-1])], "b2": up(of.b2),
        "newton": newton(max(of.lip), of.b2), "newton_trace": newton(max(of.trace), mpf(0) if of.paired else None),
        "slope": [s, *ups(of.slope(mpf(s)))],
        "y0": up(y0), "direct": bool(direct), "gam": up(gam), "move": ups(move), "q1": up(q1), "b1": up(b1),
    }


CHAINS = [(1, 1, 1), (2, 2, 3), (3, 2, 4), (4, 3, 6), (5, 2, 8), (6, 4, 8)]
STEPS = [1, 5, 25, 60]


def chain(n, d, m):
    """Gradient descent, as two doubles per weight (their sum is exact to 32 digits) after some steps."""
    x, w, a = points(n, d), weights(m, d, 0.7), signs(m, 2.0)
    start = Problem(x, w, a, [0.0] * n)
    y = [decimals(float(f) + draw.gauss(0, 0.5)) for f in start.e]
    eta = decimals(float(1 / start.lam[-1]), 3)
    exact_x, exact_a = start.x, [mpf(v) for v in a]
    W, found = [[mpf(v) for v in row] for row in w], []
    for t in range(1, STEPS[-1] + 1):
        E = [[u * exp(dot(row, point)) for point in exact_x] for u, row in zip(exact_a, W)]
        e = [mp.fsum(column) - mpf(v) for column, v in zip(zip(*E), y)]
        W = [
            [v - mpf(eta) * mp.fsum(e[i] * E[r][i] * exact_x[i][k] for i in range(n)) for k, v in enumerate(row)]
            for r, row in enumerate(W)
        ]
        if t in STEPS:
            high = [[float(v) for v in row] for row in W]
            found.append({"step": t, "high": high, "low": [[float(v - mpf(h)) for v, h in zip(*rows)] for rows in zip(W, high)]})
    return {"x": x, "w": w, "a": a, "y": y, "eta": eta, "weights": found}


def listed(values):
    return "[\n" + ",\n".join(json.dumps(value, separators=(",", ":")) for value in values) + "\n]"


cases = [exact(family, most) for family, count, most in FAMILIES for _ in range(count)]
chains = [chain(*shape) for shape in CHAINS]
sys.stdout.write('{"cases":' + listed(cases) + ',\n"chains":' + listed(chains) + "}\n")
