// Package fullsize writes a model directory of the published sizes (CLIP
// ViT-B/32, DETR ResNet-50, the 4-layer decoder, a support memory; Stable
// Diffusion v1-5) with synthetic weights, so that time, memory and exactness of the whole program
// can be measured without any checkpoint. Its captions mean nothing.
//
// Commands and tests import it.
package fullsize
