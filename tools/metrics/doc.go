// Package metrics evaluates captions as the COCO toolkit (pycocoevalcap 1.2)
// does, without Java: BLEU-1..4, METEOR, ROUGE-L, CIDEr, and SPICE through its
// official program.
//
// Evaluate scores predictions against references; Compare tests two results on
// the same pictures; Correlate sets metrics against human judgement. The
// numbers are the toolkit's: to 1e-9 for the overlap metrics, to 1e-12 for
// METEOR with its full data. Where the toolkit breaks off, this package says
// what is wrong:
//
//   - A picture without prediction, a prediction without picture and a second
//     prediction for a picture are errors (the toolkit fails an assertion).
//     Options.Subset evaluates the pictures that have predictions.
//   - An empty prediction is scored as the toolkit scores it (BLEU nearly 0,
//     the rest 0) and counted in Result.Warnings.
//   - With one picture CIDEr is 0, because every idf is log 1.
//   - Pictures may have different numbers of references.
//   - Where every reference of every picture is empty, CIDEr is 0 (the toolkit
//     raises an exception).
//
// It may be imported by commands and tools only.
package metrics
