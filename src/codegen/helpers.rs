//! Functions too rare to be worth machine code of their own; kernels call them for each element.

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
