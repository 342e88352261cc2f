// Package meteor computes METEOR 1.5 for English with the "rank" parameters,
// the setting of the COCO caption toolkit (-l en -norm), without Java.
//
// It reads the user's own METEOR data: meteor-1.5.jar (a zip with the WordNet
// synonyms and the function words) and paraphrase-en.gz. Without them only the
// stages that need no data run and the number is not METEOR; Stages says which.
//
// Source: Denkowski and Lavie, "Meteor Universal: Language Specific Translation
// Evaluation for Any Target Language", WMT 2014 (score, parameters); the same
// authors' "Meteor 1.3", WMT 2011 (aligner). What the papers leave open was
// settled by watching the official program's answers on 90 000 caption pairs.
//
// Only tools/metrics may import it.
package meteor
