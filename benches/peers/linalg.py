"""Peers for benches/linalg.rs: n x n work by LAPACK on the limit kernel of closed-form points.

usage: linalg.py TASK n d      TASK: eigh | eigvalsh | cholesky
  x_ik = sin(1 + 0.7 i + 1.3 k + 0.37 i k^2) normalised to unit norm; y_i = cos(0.3 i)
  K_ij = <x_i, x_j> exp(1 + <x_i, x_j>), the limit kernel at sigma = 1
  eigh, eigvalsh: eigenvalues of K with and without eigenvectors, by numpy
  cholesky: (K + 0.1 I)^-1 y by scipy's cho_factor and cho_solve; K is given
Prints: task n d seconds(best of three) and the largest eigenvalue, or the norm of the solution.
"""
import sys, time
import numpy as np

task, n, d = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
i, k = np.arange(n)[:, None], np.arange(d)[None, :]
x = np.sin(1 + 0.7 * i + 1.3 * k + 0.37 * i * k**2)
x /= np.linalg.norm(x, axis=1, keepdims=True)
y = np.cos(0.3 * np.arange(n))
gram = x @ x.T
kernel = gram * np.exp(1 + gram)

if task == "cholesky":
    from scipy.linalg import cho_factor, cho_solve
    kernel[np.diag_indices(n)] += 0.1

    def work():
        return np.linalg.norm(cho_solve(cho_factor(kernel, check_finite=False), y, check_finite=False))
elif task == "eigh":
    def work():
        return np.linalg.eigh(kernel)[0][-1]
else:
    def work():
        return np.linalg.eigvalsh(kernel)[-1]

times = []
for _ in range(3):
    start = time.perf_counter()
    answer = work()
    times.append(time.perf_counter() - start)
print(task, n, d, f"{min(times):.6e}", f"{answer:.12e}")
