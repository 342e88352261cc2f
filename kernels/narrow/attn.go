package narrow

import (
	"fmt"
	"math"
	"unsafe"

	"syntic/kernels/attn"
	"syntic/kernels/isa"
	"syntic/kernels/par"
)

// Attention is attention of one shape on one pool, in tiles of 32 queries by 32
// keys with the softmax between. One goroutine at a time may use it.
//
// The keys pass in blocks. For each block the scores of 32 queries are float32;
// their weights 2^(score - maximum so far) are rounded to bfloat16 and multiplied
// by the values, on top of sums that are corrected where the maximum grows: by
// more than 2^8, for the relative errors stay the same, and a row's weights
// needn't wait for its maximum.
// Source: Milakov and Gimelshein, arXiv 1805.02867.
type Attention struct {
	attn.Spec
	k      *Kernel
	pool   *par.Pool
	c      float32 // Scale·log2(e), which queries are multiplied by: weights are powers of two
	dp     int     // D, padded to steps of k
	panels int     // of 16 columns of values
	lq, lk int     // padded to whole tiles
	kAt    int     // in the workspace, after the queries: keys
	vAt    int     // and values
	size   int     // halves

	group         int // tiles of a task
	chunks        int // tasks of a head
	oAt, mAt, lAt int // in a worker's scratch, after the scores: results, maxima, sums
	packFn, mult  func(worker, task int)

	dst, q, kk, v []float32
	a             []uint16
}

const (
	queries   = 32 // of a tile
	keysBlock = 96 // of one pass: its scores, keys, values and results fit L1 for heads of 40
	rowBytes  = 4 * keysBlock
	// panelBytes is the size of a panel of 16 columns of a block's values.
	panelBytes = 2 * 16 * keysBlock
)

// attend is one call of the kernel: a block's scores become weights, where they
// lie; o += weights·v; then scores = q·k for the next block. Assembly reads it by
// offset; strides are in bytes.
type attend struct {
	s      unsafe.Pointer // *float32, 32 × keysBlock: scores; *uint16 in the first half of each row: weights
	rows   int            // 32; 0 for no weights
	m      unsafe.Pointer // *float32, rows: maxima so far
	l      unsafe.Pointer // *float32, rows × 16: sums of weights
	vLines int            // of 64 bytes of v and k, which are fetched into L1 with each row
	kLines int
	depth  int            // steps of 32 keys; 0 for no values
	v      unsafe.Pointer // *uint16, panels of 48 key pairs × 16 columns × 2
	panels int
	o      unsafe.Pointer // *float32, 32 × panels·16
	ldo    uintptr
	q      unsafe.Pointer // *uint16, 32 × steps·32
	ldq    uintptr
	k      unsafe.Pointer // *uint16, panels as of weights
	keys   int            // panels of 32 keys; 0 for no scores
	steps  int
}

// FitsAttention reports whether attention can be computed in bfloat16: with
// tiles, without masks, and with queries that fill half a tile.
func (k *Kernel) FitsAttention(s attn.Spec) bool {
	return k.with == isa.AMXBF16 && !s.Causal && !s.KeyMask && s.LQ >= queries/2
}

// NewAttention plans attention of this shape and reserves the pool's scratch.
//
// Panics: a size below 1, a stride too short for its rows, or FitsAttention is
// false.
func NewAttention(k *Kernel, pool *par.Pool, s attn.Spec) *Attention {
	if min(s.B, s.H, s.LQ, s.LK, s.D) < 1 || !k.FitsAttention(s) {
		panic(fmt.Sprintf("narrow: impossible attention: B %d, H %d, LQ %d, LK %d, D %d", s.B, s.H, s.LQ, s.LK, s.D))
	}
	if err := s.SetStrides(); err != nil {
		panic(fmt.Sprintf("narrow: attention: %v", err))
	}
	a := &Attention{Spec: s, k: k, pool: pool, dp: up(s.D, tileK), panels: up(s.D, 16) / 16, lq: up(s.LQ, queries), lk: up(s.LK, keysBlock)}
	scale := float64(s.Scale)
	if scale == 0 {
		scale = 1 / math.Sqrt(float64(s.D))
	}
	a.c = float32(scale * math.Log2E)
	heads := s.B * s.H
	a.kAt = heads * a.lq * a.dp
	a.vAt = a.kAt + heads*a.lk*a.dp
	a.size = a.vAt + heads*a.lk*16*a.panels
	tiles := a.lq / queries
	a.group = max(1, min(tiles, tiles*heads/(4*pool.Workers())))
	a.chunks = (tiles + a.group - 1) / a.group
	a.oAt = queries * keysBlock
	a.mAt = a.oAt + queries*16*a.panels
	a.lAt = a.mAt + queries
	a.packFn, a.mult = a.runPack, a.runTiles
	row := s.H * s.D
	pool.Reserve(max(a.lAt+16*queries, row+cols*up(row, 2)/2))
	return a
}

// Workspace returns how many floats Run needs in ws.
func (a *Attention) Workspace() int { return (a.size + 1) / 2 }

// Run writes softmax(scale·q·kᵀ)·v of every head to dst, for the strides of the
// Spec. A query that sees only scores of -Inf gives zeros; a NaN in a query makes
// its result NaN, one in a key all of its head, one in a value that column.
//
// Same as ref.Attention of rounded operands within 6e-3 of the result's norm: the
// weights are rounded too, and queries after the scale. The bits depend on the
// operands and LK, not on workers, B, or the position in the batch.
//
// Panics: a slice too short for the Spec. Aliasing: dst and ws overlap nothing.
// Allocs: none.
func (a *Attention) Run(dst, q, k, v, ws []float32) {
	for _, f := range []struct {
		s                []float32
		batch, stride, l int
	}{{dst, a.BatchO, a.StrideO, a.LQ}, {q, a.BatchQ, a.StrideQ, a.LQ}, {k, a.BatchK, a.StrideK, a.LK}, {v, a.BatchV, a.StrideV, a.LK}, {ws, 0, a.Workspace(), 2}} {
		if n := (a.B-1)*f.batch + (f.l-1)*f.stride; len(f.s) < n || f.batch > 0 && len(f.s) < n+a.H*a.D {
			panic(fmt.Sprintf("narrow: attention: an operand holds %d floats, too few", len(f.s)))
		}
	}
	a.dst, a.q, a.kk, a.v, a.a = dst, q, k, v, halves(ws[:a.Workspace()])
	a.pool.Run(a.B*max(a.lq, a.lk)/cols, a.packFn)
	a.pool.Run(a.B*a.H*a.chunks, a.mult)
	a.dst, a.q, a.kk, a.v, a.a = nil, nil, nil, nil, nil
}

// runTiles attends with the queries of a few tiles of one head.
func (a *Attention) runTiles(worker, task int) {
	head, t0 := task/a.chunks, task%a.chunks*a.group
	for t := t0; t < min(t0+a.group, a.lq/queries); t++ {
		a.tile(a.pool.Scratch(worker), head, t*queries)
	}
}

// tile attends with the queries from one on.
func (a *Attention) tile(mem []float32, head, first int) {
	o, m, l := mem[a.oAt:a.mAt], mem[a.mAt:a.lAt], mem[a.lAt:][:16*queries]
	clear(o)
	clear(l)
	for i := range m {
		m[i] = -math.MaxFloat32
	}
	t := attend{s: unsafe.Pointer(&mem[0]), m: unsafe.Pointer(&m[0]), l: unsafe.Pointer(&l[0]), panels: a.panels, o: unsafe.Pointer(&o[0]), ldo: uintptr(64 * a.panels),
		q: unsafe.Pointer(&a.a[(head*a.lq+first)*a.dp]), ldq: uintptr(2 * a.dp), k: unsafe.Pointer(&a.a[a.kAt+head*a.lk*a.dp]),
		vLines: (panelBytes/queries*a.panels + 63) / 64, kLines: 2 * keysBlock / queries * a.dp / 64, keys: keysBlock / cols, steps: a.dp / tileK}
	a.k.attend(&t)
	t.depth, t.rows = keysBlock/tileK, queries
	for j := 0; j < a.lk; j += keysBlock {
		for i := max(0, a.LK-j); i < keysBlock; i++ { // keys that pad the last block
			for r := range queries {
				mem[r*keysBlock+i] = float32(math.Inf(-1))
			}
		}
		t.v, t.keys = unsafe.Pointer(&a.a[a.vAt+(head*a.lk+j)*16*a.panels]), 0
		if next := j + keysBlock; next < a.lk {
			t.k, t.keys = unsafe.Pointer(&a.a[a.kAt+(head*a.lk+next)*a.dp]), keysBlock/cols
		}
		a.k.attend(&t)
	}
	b, h := head/a.H, head%a.H
	for r := range min(queries, a.LQ-first) {
		sum := float32(0)
		for _, x := range l[16*r : 16*r+16] {
			sum += x
		}
		if sum != 0 {
			sum = 1 / sum
		}
		a.k.elem.Scale(a.dst[b*a.BatchO+(first+r)*a.StrideO+h*a.D:][:a.D], o[16*r*a.panels:][:a.D], sum)
	}
}
