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

// table is a paraphrase table being decompressed by its own goroutine, up to
// 16 MiB ahead of its reader: decompressing takes most of METEOR's time (1.2 of
// 1.9 s for COCO's test set), so it starts before the corpus is ready for it.
// The table is gzipped text, three lines an entry: probability, phrase,
// paraphrase.
type table struct {
	path   string
	blocks chan []byte
	stop   chan struct{}
	err    error // valid once blocks is closed
	rest   []byte
}

func openTable(path string) (*table, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("meteor: paraphrase table: %w", err)
	}
	t := &table{path: path, blocks: make(chan []byte, 64), stop: make(chan struct{})}
	go func() {
		defer close(t.blocks)
		defer func() { _ = f.Close() }()
		t.err = t.fill(f)
	}()
	return t, nil
}

// fill sends r's contents until its end or until nobody reads on.
func (t *table) fill(r io.Reader) error {
	z, err := gzip.NewReader(bufio.NewReaderSize(r, 1<<20))
	if err != nil {
		return err
	}
	for {
		b := make([]byte, 256<<10)
		n, err := io.ReadFull(z, b)
		select {
		case t.blocks <- b[:n]:
		case <-t.stop:
			return nil
		}
		switch {
		case errors.Is(err, io.ErrUnexpectedEOF) && n < len(b):
			// A short last block, or a cut file: reading on tells.
			if _, err = z.Read(b[:1]); errors.Is(err, io.EOF) {
				return nil
			}
			return io.ErrUnexpectedEOF
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		}
	}
}

// Read implements io.Reader.
func (t *table) Read(p []byte) (int, error) {
	for len(t.rest) == 0 {
		var ok bool
		if t.rest, ok = <-t.blocks; !ok {
			if t.err != nil {
				return 0, t.err
			}
			return 0, io.EOF
		}
	}
	n := copy(p, t.rest)
	t.rest = t.rest[n:]
	return n, nil
}

// close ends the goroutine.
func (t *table) close() {
	close(t.stop)
	for range t.blocks {
	}
}

// load keeps the entries whose phrases are both in trie.
func (t *table) load(ctx context.Context, vocab *ngram.Vocabulary, trie *ngram.Trie) (neighbours, error) {
	pairs, err := readPairs(ctx, t, vocab, trie)
	if err != nil {
		return neighbours{}, fmt.Errorf("meteor: %s: %w; use paraphrase-en.gz from the Python package pycocoevalcap", t.path, err)
	}
	return link(pairs, trie.Len()), nil
}

func readPairs(ctx context.Context, r io.Reader, vocab *ngram.Vocabulary, trie *ngram.Trie) ([][2]uint32, error) {
	sc := bufio.NewScanner(r)
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
