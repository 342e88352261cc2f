// Package world carries the scale model inside the program: a tiny CLIP, DETR
// and captioner trained on a procedural world of emoji pictures, and a few of
// its pictures. It lets a fresh machine caption with no download, and it says
// nothing about photographs.
//
// The sprites in the pictures are Noto Emoji, SIL Open Font License 1.1
// (LICENSE.sprites). Commands import it.
package world
