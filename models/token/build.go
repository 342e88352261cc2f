package token

import (
	"fmt"
	"strings"
)

// builder checks a vocabulary and turns names into ids once, so that encoding
// works on integers alone.
type builder struct {
	t   *Tokenizer
	ids map[string]int32
}

func newBuilder(ids map[string]int32, o Options) *builder {
	return &builder{t: &Tokenizer{opts: o, ranks: make(map[uint64]int32, len(ids))}, ids: ids}
}

func (b *builder) merge(line int, left, right string) error {
	if err := b.pair(left, right); err != nil {
		return fmt.Errorf("line %d: %w", line, err)
	}
	return nil
}

// pair adds the next merge.
func (b *builder) pair(left, right string) error {
	var id [3]int32
	for i, name := range [...]string{left, right, left + right} {
		v, ok := b.ids[name]
		if !ok {
			return fmt.Errorf("merge %.40q + %.40q: %.80q is not in the vocabulary", left, right, name)
		}
		id[i] = v
	}
	key := pairKey(id[0], id[1])
	if _, ok := b.t.ranks[key]; ok {
		return fmt.Errorf("merge %.40q + %.40q comes twice", left, right)
	}
	b.t.ranks[key] = int32(len(b.t.merges))
	b.t.merges = append(b.t.merges, merge{id[0], id[1], id[2]})
	return nil
}

// done checks the ids and fills the tables.
func (b *builder) done() (*Tokenizer, error) {
	t := b.t
	top := int32(-1)
	for name, id := range b.ids {
		if id < 0 || id >= maxVocab {
			return nil, fmt.Errorf("vocabulary: id %d of %.60q is outside 0..%d", id, name, maxVocab-1)
		}
		top = max(top, id)
	}
	special := [...]*int32{&t.sot, &t.eot}
	for i, name := range [...]string{startOfText, endOfText} {
		id, ok := b.ids[name]
		if !ok {
			return nil, fmt.Errorf("vocabulary has no %q: not CLIP's", name)
		}
		*special[i] = id
	}
	t.size = len(b.ids)
	t.text = make([]string, top+1)
	owner := make([]string, top+1)
	fromByte := byteOrder()
	toByte := make(map[rune]byte, 256)
	for i, c := range fromByte {
		toByte[c] = byteAt(i)
	}
	for name, id := range b.ids {
		if owner[id] != "" {
			first, second := min(owner[id], name), max(owner[id], name)
			return nil, fmt.Errorf("vocabulary: %.60q and %.60q share id %d", first, second, id)
		}
		owner[id] = name
		t.text[id] = bytesOf(name, toByte)
	}
	for i, c := range fromByte {
		v := byteAt(i)
		t.byteID[v], t.byteEnd[v] = t.eot, t.eot
		if id, ok := b.ids[string(c)]; ok {
			t.byteID[v] = id
		}
		if id, ok := b.ids[string(c)+endOfWord]; ok {
			t.byteEnd[v] = id
		}
	}
	return t, nil
}

// bytesOf undoes the byte alphabet; characters outside it stand for themselves.
func bytesOf(name string, toByte map[rune]byte) string {
	var s strings.Builder
	for _, c := range name {
		if v, ok := toByte[c]; ok {
			s.WriteByte(v)
		} else {
			s.WriteRune(c)
		}
	}
	return s.String()
}

// byteOrder returns the printable character that stands for each byte, in the
// order of CLIP's ids: bytes that are printable in Latin-1 stand for
// themselves and come first, the others are U+0100, U+0101, ...
//
// Source: bytes_to_unicode, openai/gpt-2 src/encoder.py.
func byteOrder() [256]rune {
	var order [256]rune
	for i := range order {
		if i < 188 {
			order[i] = rune(byteAt(i))
		} else {
			order[i] = rune(256 + i - 188)
		}
	}
	return order
}

// byteAt returns the byte at place i of that order: 0x21-0x7E, 0xA1-0xAC,
// 0xAE-0xFF (188 of them), then 0x00-0x20, 0x7F-0xA0, 0xAD.
func byteAt(i int) byte {
	switch {
	case i < 94:
		return byte(0x21 + i)
	case i < 106:
		return byte(0xA1 + i - 94)
	case i < 188:
		return byte(0xAE + i - 106)
	case i < 221:
		return byte(i - 188)
	case i < 255:
		return byte(0x7F + i - 221)
	}
	return 0xAD
}
