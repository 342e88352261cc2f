package synth

import (
	"bufio"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"path/filepath"

	"syntic/models/caption"
)

// Item is one caption's place in the store.
type Item struct {
	Caption string `json:"caption"`
	Seed    uint64 `json:"seed"`
	Key     string `json:"key"`
}

// Items lists the shard's items in the captions' order. A caption that occurs
// again gets the next seed, so every line has a picture of its own, and lines
// that are added or move leave the others' pictures as they are.
func (s *Store) Items(captions *caption.Corpus) []Item {
	var list []Item
	seen := map[string]uint64{}
	for i := range captions.Len() {
		text := captions.At(i)
		n := seen[text]
		seen[text]++
		if i%s.shard.N == s.shard.I-1 {
			seed := s.recipe.Seed + n
			list = append(list, Item{text, seed, s.recipe.key(text, seed)})
		}
	}
	return list
}

// key hashes what a picture depends on.
func (r *Recipe) key(text string, seed uint64) string {
	h := sha256.New()
	fmt.Fprintf(h, "%s %q %q %d %dx%d %d %g %s %g %s %v %s", r.Model, text, r.Negative, seed, r.Width, r.Height, r.Steps, r.Guidance, r.Scheduler, r.Eta, r.RNG, r.Tiles, r.Precision)
	return hex.EncodeToString(h.Sum(nil)[:20])
}

// missing returns the parts of an item that are still to be made.
func (s *Store) missing(key string) ([]string, error) {
	var parts []string
	for _, part := range s.recipe.Keep {
		ok, err := s.has(key, part)
		if err != nil {
			return nil, err
		}
		if !ok {
			parts = append(parts, part)
		}
	}
	return parts, nil
}

// Finish writes the shard's index.
func (s *Store) Finish(list []Item) error {
	return s.write(filepath.Join(s.dir, "index-"+s.shard.String()+".jsonl"), func(w io.Writer) error {
		b := bufio.NewWriter(w)
		e := json.NewEncoder(b)
		e.SetEscapeHTML(false)
		for _, it := range list {
			if err := e.Encode(it); err != nil {
				return err
			}
		}
		return b.Flush()
	})
}
