// Package ngram numbers words and n-grams: each distinct n-gram becomes a small
// integer that stands for it in counts and tables.
//
// Only the metrics under tools/metrics may import it.
package ngram

import "strings"

// Vocabulary numbers words from 1 in order of appearance.
// Concurrency: Add needs exclusive use.
type Vocabulary struct {
	ids   map[string]uint32
	words []string
}

// NewVocabulary returns an empty vocabulary.
func NewVocabulary() *Vocabulary {
	return &Vocabulary{ids: make(map[string]uint32), words: make([]string, 1)}
}

// Add returns w's number, giving it the next one if it is new.
func (v *Vocabulary) Add(w string) uint32 {
	id, ok := v.ids[w]
	if !ok {
		id = uint32(len(v.words))
		w = strings.Clone(w) // do not keep the whole caption alive
		v.ids[w] = id
		v.words = append(v.words, w)
	}
	return id
}

// Find returns the number of the word spelled by w, or 0. Allocs: 0.
func (v *Vocabulary) Find(w []byte) uint32 { return v.ids[string(w)] }

// Len is one more than the largest number given.
func (v *Vocabulary) Len() int { return len(v.words) }

// Word returns the word numbered id.
func (v *Vocabulary) Word(id uint32) string { return v.words[id] }

// Trie numbers n-grams from 1. An n-gram is a node whose parent is the n-gram
// less its last word; 0 is the root. All edges sit in one open-addressing table
// keyed by parent<<32|word: 12 bytes a slot, no allocation per n-gram.
// Concurrency: Add needs exclusive use.
type Trie struct {
	keys []uint64
	vals []uint32
	used int
}

// NewTrie returns an empty trie.
func NewTrie() *Trie {
	return &Trie{keys: make([]uint64, 1<<12), vals: make([]uint32, 1<<12)}
}

// Len is one more than the number of n-grams.
func (t *Trie) Len() int { return t.used + 1 }

// slot finds key's slot, or the free one where it belongs.
func (t *Trie) slot(key uint64) uint64 {
	mask := uint64(len(t.keys) - 1)
	h := key * 0x9e3779b97f4a7c15
	i := (h ^ h>>29) & mask
	for t.vals[i] != 0 && t.keys[i] != key {
		i = (i + 1) & mask
	}
	return i
}

// Find returns the node of parent's n-gram followed by word, or 0.
func (t *Trie) Find(parent, word uint32) uint32 {
	return t.vals[t.slot(uint64(parent)<<32|uint64(word))]
}

// Add is Find that makes the node where there is none.
func (t *Trie) Add(parent, word uint32) uint32 {
	key := uint64(parent)<<32 | uint64(word)
	i := t.slot(key)
	if t.vals[i] != 0 {
		return t.vals[i]
	}
	if t.used*2 >= len(t.keys) {
		t.grow()
		i = t.slot(key)
	}
	t.used++
	t.keys[i], t.vals[i] = key, uint32(t.used)
	return uint32(t.used)
}

func (t *Trie) grow() {
	keys, vals := t.keys, t.vals
	t.keys, t.vals = make([]uint64, 2*len(keys)), make([]uint32, 2*len(keys))
	for j, v := range vals {
		if v != 0 {
			i := t.slot(keys[j])
			t.keys[i], t.vals[i] = keys[j], v
		}
	}
}
