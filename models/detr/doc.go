// Package detr finds objects in pictures: DETR with a ResNet backbone, as
// published (ResNet-50 and -101) and in any size that config.json describes.
//
// Source: Carion et al., "End-to-End Object Detection with Transformers",
// arXiv 2005.12872; names and details as in transformers
// models/detr/modeling_detr.py.
package detr
