package weights

import (
	"encoding/binary"
	"fmt"
	"math"
	"runtime"
	"slices"
	"strings"
	"sync"
)

// Synthetic returns a source of weights computed from a seed, under the
// canonical names and shapes of list; Data is ignored. Entries that a checkpoint
// may carry but a loader ignores, and integer ones, are left out. F16 and BF16
// entries are the float32 values rounded.
//
// Nothing is kept: each Get computes its tensor anew. The 860 million elements of
// the UNet take about 1.5 s on two cores.
//
// Source: golden/SPEC.md sections 1 to 3.
func Synthetic(seed uint64, list []Info) Source {
	s := &synthetic{seed: seed, infos: make(map[string]Info, len(list))}
	for _, t := range list {
		if _, dup := s.infos[t.Name]; dup || !t.DType.Float() || Ignorable(t.Name) && t.Name != tiedHead {
			continue
		}
		t.Shape = slices.Clone(t.Shape)
		t.Data, t.m = nil, nil
		s.infos[t.Name] = t
		s.names = append(s.names, t.Name)
	}
	slices.Sort(s.names)
	return s
}

// tiedHead is the caption decoder's output matrix, which is its token embedding
// under a second name.
const tiedHead = "decoder.lm_head.weight"

type synthetic struct {
	seed  uint64
	names []string
	infos map[string]Info
}

func (s *synthetic) Names() []string { return s.names }

func (s *synthetic) Close() error { return nil }

func (s *synthetic) describe(name string) (Info, error) {
	t, ok := s.infos[name]
	if !ok {
		return Info{}, fmt.Errorf("synthetic weights: %q: %w", name, ErrNotFound)
	}
	t.Shape = slices.Clone(t.Shape)
	return t, nil
}

func (s *synthetic) Get(name string) (Info, error) {
	t, err := s.describe(name)
	if err != nil {
		return Info{}, err
	}
	size, ok := byteSize(t.Shape, F32.Size())
	if !ok {
		return Info{}, badTensor("synthetic weights", name, "size of shape %v overflows", t.Shape)
	}
	want := t.DType
	t.DType, t.Data = F32, make([]byte, size)
	key := name
	if name == tiedHead {
		key = "decoder.transformer.wte.weight"
	}
	r := synthRule(s.seed, key, t.Shape)
	const chunk = 1 << 18 // elements; 0.5 ms of work
	var wg sync.WaitGroup
	n := size / 4
	workers := min(runtime.GOMAXPROCS(0), (n+chunk-1)/chunk)
	if workers <= 1 {
		r.fill(t.Data, 0)
		return Convert(t, want)
	}
	part := (n + workers - 1) / workers
	for begin := 0; begin < n; begin += part {
		end := min(begin+part, n)
		wg.Go(func() { r.fill(t.Data[begin*4:end*4], uint64(begin)) })
	}
	wg.Wait()
	return Convert(t, want)
}

// rule is the value of element i: offset + scale*v_i, or only offset for a scalar.
type rule struct {
	state         uint64
	offset, scale float64
}

func synthRule(seed uint64, name string, shape []int) rule {
	r := rule{state: fnv1a64(name) ^ seed}
	switch len(shape) {
	case 0:
		r.offset = 2.6592
	case 1:
		r.scale = 0.1
		last := name[strings.LastIndexByte(name, '.')+1:]
		if last == "weight" || last == "running_var" {
			r.offset = 1
		}
	default:
		fan := 1
		for _, d := range shape[1:] {
			fan *= d
		}
		r.scale = math.Sqrt(3 / float64(fan))
		if strings.HasSuffix(name, "query_position_embeddings.weight") {
			r.scale *= 16
		}
	}
	return r
}

// fill writes elements first, first+1, … of the stream into dst.
func (r rule) fill(dst []byte, first uint64) {
	const golden = 0x9E3779B97F4A7C15
	z0 := r.state + first*golden
	for i := 0; i+4 <= len(dst); i += 4 {
		z0 += golden
		v := 2*(float64(mix(z0)>>11)*0x1p-53) - 1
		// Two roundings, as the rule says: the conversion forbids a fused multiply-add.
		x := r.offset + float64(v*r.scale)
		binary.LittleEndian.PutUint32(dst[i:], math.Float32bits(float32(x)))
	}
}

// mix is the output function of SplitMix64.
func mix(z uint64) uint64 {
	z = (z ^ z>>30) * 0xBF58476D1CE4E5B9
	z = (z ^ z>>27) * 0x94D049BB133111EB
	return z ^ z>>31
}

func fnv1a64(s string) uint64 {
	h := uint64(0xCBF29CE484222325)
	for i := range len(s) {
		h = (h ^ uint64(s[i])) * 0x100000001B3
	}
	return h
}
