//! The gradient of a recipe as a recipe.

use super::error::Result;
use super::errors;
use super::recipe::Recipe;
use crate::grad;

impl Recipe {
    /// The gradient as a recipe of its own, by these inputs, parameters and initial states, or by all: it takes what this takes,
    /// and a cotangent `NAME_adj` for every output of real numbers, and gives the gradients `NAME_adj` and nothing else. It is
    /// compiled, run and differentiated like any other, which makes second derivatives, and has an adjoint in turn.
    ///
    /// Its [`inputs`](Recipe::inputs) are those of this recipe, then the cotangents in the order of the outputs. They are inputs: each
    /// is to be given, also that of a `loss`. From the third derivative on `NAME_adj` may be the name of another input;
    /// then the cotangent has a prime behind it.
    ///
    /// ```
    /// use ndarray::array;
    /// use rnnc::api::{Arrays, Library, Options};
    /// let cube = Library::text("cube.rnn", "cell Cube(H) {\n  in x : [H]\n  y = x^3\n  out y\n}")?;
    /// let adjoint = cube.recipe("Cube(2)")?.adjoint(None)?;
    /// let slope = adjoint.compile(&Options::default())?; // x_adj = 3 x² y_adj
    /// let (x, one) = (array![[[1f32, 2.0]]], array![[[1f32, 1.0]]]);
    /// let mut run = slope.forward_saved(&Arrays::new().with("x", &x).with("y_adj", &one))?;
    /// assert_eq!(run.outputs()?["x_adj"].as_slice(), Some(&[3f32, 12.0][..]));
    /// let second = run.backward(&Arrays::new().with("x_adj_adj", &one))?; // 6 x y_adj
    /// assert_eq!(second["x_adj"].as_slice(), Some(&[6f32, 12.0][..]));
    /// # Ok::<(), rnnc::Error>(())
    /// ```
    ///
    /// # Errors
    /// A name that is none of these; an operation without a gradient, or without a second one; too many
    /// equations, as each adjoint has several times as many.
    pub fn adjoint(&self, wrt: Option<&[String]>) -> Result<Recipe> {
        let (found, limit) = (self.graph.nodes.len(), self.shared.library.limits().nodes);
        if found > limit {
            return Err(self.refusal(vec![errors::too_many_equations(found, limit)]));
        }
        let adjoint = grad::adjoint(&self.graph, &self.by(wrt.map(<[String]>::to_vec)));
        let grad::Adjoint { graph, again, .. } = adjoint.map_err(|e| self.refusal(e))?;
        let declared = graph.outputs.iter().map(|o| o.name.to_string()).collect();
        Ok(Recipe { graph, declared, again: Some(again), ..self.clone() })
    }

    /// How this is differentiated.
    pub(super) fn by(&self, wrt: Option<Vec<String>>) -> grad::Options {
        grad::Options { wrt, from: None, again: self.again.clone() }
    }
}
