package overlap

import (
	"strings"
	"unicode"

	"syntic/tools/metrics/ngram"
)

// maxN is the longest n-gram counted, as in BLEU-4 and CIDEr.
const maxN = 4

// text is a caption as ids: words for ROUGE-L, n-gram nodes for BLEU and CIDEr.
type text struct {
	rouge []uint32       // words by splitting at ' ' alone, "" is one empty word
	words int            // number of words by splitting at any white space
	grams [maxN][]uint32 // trie node of each n-gram, by order and position
}

// Corpus is a set of pictures with every n-gram numbered, ready to be scored.
// Concurrency: read-only once built; each goroutine needs its own Scratch.
type Corpus struct {
	hyps  []text
	refs  [][]text
	nodes int       // number of distinct n-grams and the root
	idf   []float64 // per n-gram: log(pictures) - log(pictures whose references hold it)
}

// Index numbers the words and n-grams of all pictures: hyps[i] is picture i's
// prediction, refs[i] its references, at least one, as long as hyps. Words are
// separated by single spaces; any text may be empty.
//
// One goroutine numbers the words, the caller's the n-grams: both must go in
// order for the same numbers every time, but the second can follow the first.
func Index(hyps []string, refs [][]string) *Corpus {
	c := &Corpus{hyps: make([]text, len(hyps)), refs: make([][]text, len(hyps))}
	ready := make(chan int, len(hyps)/64+1)
	go func() {
		defer close(ready)
		vocab := ngram.NewVocabulary()
		for i := range hyps {
			c.hyps[i] = words(vocab, hyps[i])
			c.refs[i] = make([]text, len(refs[i]))
			for j, r := range refs[i] {
				c.refs[i][j] = words(vocab, r)
			}
			if (i+1)%64 == 0 || i+1 == len(hyps) {
				ready <- i + 1
			}
		}
	}()
	trie := ngram.NewTrie()
	done := 0
	for n := range ready {
		for ; done < n; done++ {
			c.hyps[done].number(trie)
			for j := range c.refs[done] {
				c.refs[done][j].number(trie)
			}
		}
	}
	c.nodes = trie.Len()
	c.countDocuments()
	return c
}

// words numbers a text's words.
func words(vocab *ngram.Vocabulary, s string) text {
	t := text{rouge: make([]uint32, 0, 1+strings.Count(s, " "))}
	for rest, more := s, true; more; {
		var w string
		w, rest, more = strings.Cut(rest, " ")
		t.rouge = append(t.rouge, vocab.Add(w))
	}
	t.grams[0] = t.rouge
	if s == "" || strings.ContainsFunc(s, oddSpace) {
		t.grams[0] = nil
		for _, w := range strings.FieldsFunc(s, pySpace) {
			t.grams[0] = append(t.grams[0], vocab.Add(w))
		}
	}
	return t
}

// number turns grams[0] from words into nodes and adds the longer n-grams.
func (t *text) number(trie *ngram.Trie) {
	words := t.grams[0]
	t.words = len(words)
	nodes := make([]uint32, 0, maxN*len(words))
	for n := range maxN {
		start := len(nodes)
		for i := 0; i+n < len(words); i++ {
			var parent uint32
			if n > 0 {
				parent = t.grams[n-1][i]
			}
			nodes = append(nodes, trie.Add(parent, words[i+n]))
		}
		t.grams[n] = nodes[start:]
	}
}

// pySpace says whether Python's str.split() cuts at r.
// Source: Python documentation of str.isspace.
func pySpace(r rune) bool {
	return unicode.IsSpace(r) || r >= 0x1c && r <= 0x1f
}

func oddSpace(r rune) bool { return r != ' ' && pySpace(r) }

// Scratch holds the per-goroutine counters of a Corpus.
type Scratch struct {
	count []uint32 // per node, zero between calls
	max   []uint32 // per node, zero between calls
	lcs   []int
}

// NewScratch returns counters for scoring c's pictures.
func (c *Corpus) NewScratch() *Scratch {
	return &Scratch{count: make([]uint32, c.nodes), max: make([]uint32, c.nodes)}
}
