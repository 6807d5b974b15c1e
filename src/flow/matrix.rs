//! Square matrices: products, spectral norm, spectral radius.

#[derive(Clone, Debug, PartialEq)]
pub struct Matrix {
    size: usize,
    /// Row-major.
    values: Vec<f64>,
}

/// Squarings of [`Matrix::radius`]: the power is 2 to this.
const SQUARINGS: i32 = 20;

impl Matrix {
    pub fn zeros(size: usize) -> Matrix {
        Matrix { size, values: vec![0.0; size * size] }
    }

    pub fn identity(size: usize) -> Matrix {
        let mut m = Matrix::zeros(size);
        (0..size).for_each(|i| m.values[i * size + i] = 1.0);
        m
    }

    pub fn row_mut(&mut self, r: usize) -> &mut [f64] {
        &mut self.values[r * self.size..(r + 1) * self.size]
    }

    pub fn times(&self, other: &Matrix) -> Matrix {
        let mut out = Matrix::zeros(self.size);
        for r in 0..self.size {
            for k in 0..self.size {
                let factor = self.values[r * self.size + k];
                let row = &other.values[k * self.size..(k + 1) * self.size];
                out.row_mut(r).iter_mut().zip(row).for_each(|(o, v)| *o += factor * v);
            }
        }
        out
    }

    /// The greatest absolute value of an element; NaN if one is none.
    fn greatest(&self) -> f64 {
        self.values.iter().fold(0.0, |most, v| if v.is_nan() || v.abs() > most { v.abs() } else { most })
    }

    fn transposed(&self) -> Matrix {
        let mut out = Matrix::zeros(self.size);
        for r in 0..self.size {
            for c in 0..self.size {
                out.values[c * self.size + r] = self.values[r * self.size + c];
            }
        }
        out
    }

    /// The greatest singular value: the root of the radius of AᵀA.
    pub fn norm(&self) -> f64 {
        self.transposed().times(self).radius().sqrt()
    }

    /// The greatest absolute value of an eigenvalue: the limit of ‖Aᵏ‖^(1/k) (I. Gelfand, 1941), by repeated squaring.
    /// NaN if an element is none.
    pub fn radius(&self) -> f64 {
        let mut power = self.clone();
        // ‖A^(2^k)‖ = e^log, as a sum of logarithms, so that nothing overflows.
        let mut log = 0.0;
        for _ in 0..SQUARINGS {
            let size = power.greatest();
            if size == 0.0 || size.is_nan() {
                return size;
            }
            power.values.iter_mut().for_each(|v| *v /= size);
            log = 2.0 * (log + size.ln());
            power = power.times(&power);
        }
        let size = power.greatest();
        if size == 0.0 { 0.0 } else { ((log + size.ln()) / 2f64.powi(SQUARINGS)).exp() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matrix(size: usize, values: &[f64]) -> Matrix {
        Matrix { size, values: values.to_vec() }
    }

    #[test]
    fn radius_and_norm_of_known_matrices() {
        let near = |a: f64, b: f64| assert!((a - b).abs() < 1e-4, "{a} {b}");
        near(matrix(2, &[3.0, 0.0, 0.0, -4.0]).radius(), 4.0);
        // A rotation: its eigenvalues are complex.
        near(matrix(2, &[0.0, -2.0, 2.0, 0.0]).radius(), 2.0);
        // Nilpotent: no eigenvalue but 0, though its norm is 5.
        near(matrix(2, &[0.0, 5.0, 0.0, 0.0]).radius(), 0.0);
        near(matrix(2, &[0.0, 5.0, 0.0, 0.0]).norm(), 5.0);
        near(matrix(2, &[1.0, 1.0, 0.0, 1.0]).norm(), 1.618034);
        near(Matrix::identity(3).norm(), 1.0);
        near(matrix(1, &[1e-200]).radius() * 1e200, 1.0);
    }
}
