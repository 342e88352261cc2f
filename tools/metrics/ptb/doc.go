// Package ptb splits captions into words exactly as the COCO caption toolkit
// does: Stanford's PTBTokenizer 3.4.1 with -preserveLines -lowerCase, less the
// toolkit's list of 17 punctuation marks.
//
// The rules were written from the Penn Treebank conventions and from watching
// what the official tokenizer answers; the tests compare 122 000 captions and
// generated texts with it. It is not a general tokenizer: the one mark that
// depends on the next line and that the toolkit would drop anyway (the second
// full stop of "the U.S." at a sentence's end) is never produced.
//
// Only tools/metrics may import it.
package ptb
