// Package synth draws a picture for every caption of a text file and keeps the
// results in a store: the data that SynTIC trains on.
//
// A store is a folder:
//
//	store.json           what the results depend on: models, settings, parts kept
//	objects/ab/KEY.png              a picture
//	objects/ab/KEY.latent           its latent, safetensors
//	objects/ab/KEY.features         its CLIP feature and tags, safetensors
//	index-1-of-1.jsonl   the captions in order, with their keys; written last
//
// KEY is a hash of the model, the prompt, the seed and the settings. A file
// appears whole or not at all, so what is there is done: a run that was killed
// goes on where it was (a batch is written while the next one is drawn), shards of one store can run on several machines, and the
// finished store is the same bytes however often it was interrupted.
package synth
