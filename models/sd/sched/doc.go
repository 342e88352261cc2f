// Package sched is the sampling side of diffusion: the schedulers that turn a
// model's predictions into the next latent, and the generators of the noise they
// start from.
//
// The schedulers are those of Hugging Face's diffusers, read from the same
// scheduler_config.json: PNDM, DDIM, Euler, Euler ancestral and DPM-Solver++ 2M,
// the last and Euler also on Karras' noise levels. All of them are linear in the
// latent, the predictions and the noise, so a [Scheduler] is a table of
// coefficients, computed once in float64; devices apply its rows, with guidance
// (ref.Multistep says how).
//
// It knows neither models nor layouts: latents are plain float32 slices, element
// by element, of any number of pictures. Of ours it imports kernels/ref alone;
// models/sd and what is above it may import it.
package sched
