package meteor

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"syntic/tools/metrics/ngram"
)

// neighbours lists each phrase's paraphrases in the table's order: those of
// node n are list[start[n]:start[n+1]]. The table has a direction: most pairs
// appear one way round only.
type neighbours struct {
	start []uint32
	list  []uint32
	known []bool // per node: stands in some pair, on either side
}

func (n neighbours) of(node uint32) []uint32 { return n.list[n.start[node]:n.start[node+1]] }

// loadParaphrases streams a gzipped table of three lines an entry
// (probability, phrase, paraphrase) and keeps the entries whose phrases are
// both in trie.
func loadParaphrases(ctx context.Context, path string, vocab *ngram.Vocabulary, trie *ngram.Trie) (neighbours, error) {
	f, err := os.Open(path)
	if err != nil {
		return neighbours{}, fmt.Errorf("meteor: paraphrase table: %w", err)
	}
	defer func() { _ = f.Close() }()
	pairs, err := readTable(ctx, f, vocab, trie)
	if err != nil {
		return neighbours{}, fmt.Errorf("meteor: %s: %w; use paraphrase-en.gz from the Python package pycocoevalcap", path, err)
	}
	return link(pairs, trie.Len()), nil
}

// readTable decompresses in one goroutine and parses in the caller's, which
// takes as long as decompressing alone (2.0 s against 2.9 s in turn).
func readTable(ctx context.Context, r io.Reader, vocab *ngram.Vocabulary, trie *ngram.Trie) ([][2]uint32, error) {
	z, err := gzip.NewReader(bufio.NewReaderSize(r, 1<<20))
	if err != nil {
		return nil, err
	}
	pr, pw := io.Pipe()
	done := make(chan struct{})
	go func() {
		defer close(done)
		_, err := io.CopyBuffer(struct{ io.Writer }{pw}, z, make([]byte, 256<<10))
		_ = pw.CloseWithError(err)
	}()
	defer func() {
		_ = pr.Close()
		<-done
	}()
	sc := bufio.NewScanner(pr)
	sc.Buffer(make([]byte, 256<<10), maxLineBytes)
	var pairs [][2]uint32
	var phrase []byte // the last first phrase: entries come grouped by it
	var node uint32
	for line := 1; sc.Scan(); line++ {
		switch b := sc.Bytes(); line % 3 {
		case 1:
			if line%30000 == 1 && ctx.Err() != nil {
				return nil, ctx.Err()
			}
		case 2:
			if !bytes.Equal(b, phrase) {
				phrase = append(phrase[:0], b...)
				node = find(b, vocab, trie)
			}
		case 0:
			if node == 0 {
				continue
			}
			if other := find(b, vocab, trie); other != 0 {
				pairs = append(pairs, [2]uint32{node, other})
			}
		}
	}
	if err := sc.Err(); err != nil {
		if errors.Is(err, bufio.ErrTooLong) {
			err = errors.New("a line is longer than 1 MiB")
		}
		return nil, err
	}
	return pairs, nil
}

// find is the trie node of a phrase of space-separated words, or 0.
func find(phrase []byte, vocab *ngram.Vocabulary, trie *ngram.Trie) uint32 {
	var node uint32
	for len(phrase) > 0 {
		w := phrase
		if k := bytes.IndexByte(phrase, ' '); k >= 0 {
			w, phrase = phrase[:k], phrase[k+1:]
		} else {
			phrase = nil
		}
		id := vocab.Find(w)
		if id == 0 {
			return 0
		}
		if node = trie.Find(node, id); node == 0 {
			return 0
		}
	}
	return node
}

// link turns pairs into neighbour lists.
func link(pairs [][2]uint32, nodes int) neighbours {
	n := neighbours{start: make([]uint32, nodes+1), list: make([]uint32, len(pairs)), known: make([]bool, nodes)}
	for _, p := range pairs {
		n.start[p[0]]++
		n.known[p[0]], n.known[p[1]] = true, true
	}
	sum := uint32(0)
	for i, k := range n.start {
		sum += k
		n.start[i] = sum
	}
	for i := len(pairs) - 1; i >= 0; i-- {
		a := pairs[i][0]
		n.start[a]--
		n.list[n.start[a]] = pairs[i][1]
	}
	return n
}
