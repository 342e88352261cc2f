// Package sched is the sampling side of diffusion: the schedulers that turn a
// model's predictions into the next latent, classifier-free guidance, and the
// generators of the noise they start from.
//
// The schedulers are those of Hugging Face's diffusers, read from the same
// scheduler_config.json: PNDM, DDIM, Euler, Euler ancestral and DPM-Solver++ 2M,
// the last and Euler also on Karras' noise levels. All of them are linear in the
// latent, the predictions and the noise, so a [Scheduler] is a table of
// coefficients, computed once in float64, and one loop that applies a row.
//
// It knows neither models nor layouts: latents are plain float32 slices, element
// by element, of any number of pictures. It imports nothing of ours; models/sd
// and what is above it may import it.
package sched
