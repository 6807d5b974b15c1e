//! Functions too rare to be worth machine code of their own; kernels call them for each element.
//!
//! They are all that kernels call, so all through which a panic could reach a kernel's frame, which cannot be unwound. None
//! can: they are arithmetic without a table that a value could lead out of (tested for numbers of all kinds), and
//! `extern "C"`, so that a panic would end the process at the function itself.

/// A function of the runtime with the name kernels call it by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Helper {
    Pow,
    Sin,
    Cos,
    Erf,
    Floor,
}

impl Helper {
    pub const ALL: [Helper; 5] = [Helper::Pow, Helper::Sin, Helper::Cos, Helper::Erf, Helper::Floor];

    pub fn name(self) -> &'static str {
        match self {
            Helper::Pow => "rnnc_powf",
            Helper::Sin => "rnnc_sinf",
            Helper::Cos => "rnnc_cosf",
            Helper::Erf => "rnnc_erff",
            Helper::Floor => "rnnc_floorf",
        }
    }

    /// Number of f32 arguments; the result is one f32.
    pub fn arity(self) -> usize {
        match self {
            Helper::Sin | Helper::Cos | Helper::Erf | Helper::Floor => 1,
            Helper::Pow => 2,
        }
    }

    pub fn address(self) -> *const u8 {
        match self {
            Helper::Pow => pow as extern "C" fn(f32, f32) -> f32 as *const u8,
            Helper::Sin => sin as extern "C" fn(f32) -> f32 as *const u8,
            Helper::Cos => cos as extern "C" fn(f32) -> f32 as *const u8,
            Helper::Erf => erf as extern "C" fn(f32) -> f32 as *const u8,
            Helper::Floor => floor as extern "C" fn(f32) -> f32 as *const u8,
        }
    }
}

extern "C" fn pow(x: f32, y: f32) -> f32 {
    libm::powf(x, y)
}

extern "C" fn sin(x: f32) -> f32 {
    libm::sinf(x)
}

extern "C" fn cos(x: f32) -> f32 {
    libm::cosf(x)
}

extern "C" fn erf(x: f32) -> f32 {
    libm::erff(x)
}

extern "C" fn floor(x: f32) -> f32 {
    libm::floorf(x)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Numbers of every class: zeros, subnormal, of every exponent with the least, the greatest and some mantissas, whole ones,
    /// infinite, quiet and signalling NaNs; of both signs.
    fn numbers(mantissas: &[u32]) -> impl Iterator<Item = f32> + '_ {
        let bits = (0..=255u32).flat_map(move |e| mantissas.iter().map(move |m| e << 23 | m));
        bits.flat_map(|bits| [bits, bits | 1 << 31]).map(f32::from_bits)
    }

    #[test]
    fn no_number_makes_one_panic() {
        let mantissas =
            [0, 1, 2, 0x2a_aaaa, 0x3f_ffff, 0x40_0000, 0x40_0001, 0x5b_6db6, 0x7f_fffe, 0x7f_ffff];
        let few = [0, 1, 0x40_0000, 0x7f_ffff];
        for x in numbers(&mantissas) {
            for f in [sin, cos, erf, floor] {
                std::hint::black_box(f(x));
            }
            for y in numbers(&few) {
                std::hint::black_box(pow(x, y));
            }
        }
    }
}
