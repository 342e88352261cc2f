// Package token turns text into the ids that CLIP's text tower reads, and back.
//
// It is byte-level BPE as published with CLIP, in the two habits that exist:
// OpenAI's (text repaired by ftfy, HTML entities resolved twice) and Hugging
// Face's (NFC and lower case only). Ids are exact for both; which one a
// checkpoint was used with is the caller's knowledge, see [Options].
//
// It is not a general tokenizer library: no training, no other pre-tokenizers,
// no model code. Room 4: importable by models/* above it, tools and cmd.
//
// Unicode tables are Go's (15.0). Letters assigned later count as symbols; the
// Python packages move their tables with each release, so no version is "the"
// right one there.
package token
