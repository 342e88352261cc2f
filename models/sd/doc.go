// Package sd has the towers of Stable Diffusion 1.x: the UNet that predicts a
// latent's noise and the autoencoder between pictures and latents. The text
// encoder is clip.TextModel. config.json decides the sizes and blocks.
//
// Pictures and latents are [N,H,W,C] throughout. The prompt's keys and values
// are computed once, by UNet.SetContext, and kept in a state that every step
// reads; a GroupNorm and its activation are applied by the convolution after
// it. Schedulers are in sd/sched; a Drawing's steps, guidance and scheduler
// included, run on the device from the first to the last (solver.go).
//
// Source: Rombach et al., "High-Resolution Image Synthesis with Latent Diffusion
// Models", arXiv 2112.10752; names and details as in diffusers
// models/unets/unet_2d_condition.py and models/autoencoders/autoencoder_kl.py.
package sd
