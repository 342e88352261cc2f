package cpu

import (
	"fmt"
	"sync"
	"time"

	"syntic/kernels"
	"syntic/kernels/gemm"
	"syntic/kernels/isa"
	"syntic/kernels/narrow"
	"syntic/kernels/par"
	"syntic/tensor/graph"
)

// Options choose how a device computes; the zero value is the fastest exact way.
type Options struct {
	ISA       string     // instruction set by name; "" follows SYNTIC_ISA, then the CPU
	Threads   int        // workers; 0 means all allowed cores
	Precision Precision  // of products
	Storage   gemm.DType // how packed matrices are stored: F32, or halves widened in the kernel
	Keep      bool       // store what the checkpoint has in halves as it is, whatever Storage: nothing is lost
	Winograd  Winograd   // which of Winograd's algorithms convolutions may use
}

// Precision says what the operands of products are rounded to.
type Precision uint8

// The precisions. With BF16 linear layers and convolutions round both operands
// to bfloat16 and sum in float32, where the CPU has instructions for it: AMX or
// AVX512_BF16; with AMX so does attention without a mask and of 16 queries or
// more. Everything else, and what lies in memory between operations, stays
// float32; so do grouped convolutions, those of fewer than 16 channels, those that
// Winograd's F(4×4) computes in less time where there is no AMX, and products of two
// activations. Storage and Winograd count for those alone; Storage F32 becomes BF16.
//
// With Int8 linear layers, and convolutions of 64 channels and 16 results or more,
// round both operands to bytes with a scale for up to 160 neighbours of a row or
// column, where the CPU has AVX512_VNNI. Everything else stays float32.
const (
	F32 Precision = iota
	BF16
	Int8
)

// Winograd says which of Winograd's algorithms 3×3 convolutions may use, where
// they are cheaper than direct sums.
type Winograd uint8

// The choices. F2 is as exact as direct sums, F4 errs three times as much.
const (
	WinogradByModel Winograd = iota // F4 where the model allows its error, else F2
	WinogradOff
	WinogradF2
	WinogradF4 // also where the model doesn't ask for it
)

// Device computes on the CPU.
//
// Concurrency: any goroutine may build and run Programs; they run one at a time.
type Device struct {
	opts  Options
	table kernels.Table
	pool  *par.Pool
	// narrow computes products in the device's precision; nil in float32.
	narrow *narrow.Kernel

	mu     sync.Mutex // held while a program runs or a weight is packed
	packed map[packKey]*packed
	states map[*graph.State]*stateMemory
	bytes  int // memory of the packed weights
	fresh  int // packed since the last garbage collection
}

// stateMemory is a state's array and how many Programs hold it.
type stateMemory struct {
	data  []float32
	users int
}

var _ graph.Device = (*Device)(nil)

// New returns a device. Errors: an instruction set that is unknown or that this
// machine lacks, or a precision that it has no instructions for.
func New(o Options) (*Device, error) {
	name := kernels.Select
	if o.ISA == "" {
		name = func(string) (kernels.Table, error) { return kernels.Best() }
	}
	t, err := name(o.ISA)
	if err != nil {
		return nil, err
	}
	k, lacks := (*narrow.Kernel)(nil), ""
	switch o.Precision {
	case BF16:
		if o.Storage == gemm.F32 {
			o.Storage = gemm.BF16 // of what stays float32: no more is rounded than elsewhere
		}
		if k = t.BF16; k == nil {
			lacks = "precision bf16: %s with the instruction set %s: it takes avx512 and AMX-BF16 (with the system's leave) or AVX512_BF16"
		}
	case Int8:
		if k = t.Int8; k == nil {
			lacks = "precision int8: %s with the instruction set %s: it takes avx512 and AVX512_VNNI"
		}
	}
	if lacks != "" {
		return nil, fmt.Errorf(lacks, isa.Name(), t.ISA)
	}
	if o.Threads <= 0 {
		o.Threads = isa.Cores()
	}
	return &Device{opts: o, table: t, narrow: k, pool: par.New(o.Threads), packed: map[packKey]*packed{}, states: map[*graph.State]*stateMemory{}}, nil
}

// Name implements graph.Device.
func (d *Device) Name() string {
	if d.narrow != nil {
		return "cpu " + d.narrow.Products().String()
	}
	return "cpu " + d.table.ISA.String()
}

// Batch implements graph.Device: at 32, ViT-B/32 needs 28 MB.
func (d *Device) Batch() int { return 32 }

// Ahead implements graph.Device.
func (d *Device) Ahead() int { return 1 }

// Threads returns the number of workers.
func (d *Device) Threads() int { return d.pool.Workers() }

// Table returns the kernels in use.
func (d *Device) Table() kernels.Table { return d.table }

// PeakFLOPS measures the operations a second that one core does in products of the
// device's precision: their ceiling.
func (d *Device) PeakFLOPS(t time.Duration) float64 {
	if d.narrow != nil {
		return d.narrow.PeakFLOPS(t)
	}
	return gemm.PeakFLOPS(d.table.ISA, t)
}

// WeightBytes returns the memory that packed weights take so far.
func (d *Device) WeightBytes() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.bytes
}

// Close implements graph.Device.
func (d *Device) Close() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.pool.Close()
	d.packed, d.states = nil, nil
	return nil
}

// hold returns the memory of a state, made for the first Program that uses it.
func (d *Device) hold(s *graph.State) []float32 {
	d.mu.Lock()
	defer d.mu.Unlock()
	m, ok := d.states[s]
	if !ok {
		m = &stateMemory{data: par.Aligned(s.Shape.Elems())}
		d.states[s] = m
	}
	m.users++
	return m.data
}

// drop lets go of a state, which is freed with its last Program.
func (d *Device) drop(s *graph.State) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if m := d.states[s]; m != nil {
		if m.users--; m.users == 0 {
			delete(d.states, s)
		}
	}
}

// Arrange implements graph.Device.
func (d *Device) Arrange(ops []*graph.Op) []*graph.Op {
	graph.Spread(ops)
	return ops
}

// Prepare implements graph.Device.
func (d *Device) Prepare(op *graph.Op) (graph.Step, error) {
	switch a := op.Attr.(type) {
	case *graph.LinearOp:
		return d.linear(op, a)
	case *graph.MatMulOp:
		return d.matMul(op, a)
	case *graph.RowDotsOp:
		return d.rowDots(op, a)
	case *graph.RowSumOp:
		return d.rowSum(op, a)
	case *graph.ConvOp:
		return d.conv(op, a)
	case *graph.MaxPoolOp:
		return d.maxPool(op, a)
	case *graph.UpsampleOp:
		return d.upsample(op, a)
	case *graph.LayerNormOp:
		return d.layerNorm(op, a)
	case *graph.GroupNormOp:
		return d.groupNorm(op, a)
	case *graph.GroupNormStatsOp:
		return d.groupNormStats(op, a)
	case *graph.SoftmaxOp:
		return d.softmax(op, a)
	case *graph.NormalizerOp:
		return d.normalizer(op, a)
	case *graph.L2NormOp:
		return d.l2Norm(op, a)
	case *graph.AttentionOp:
		return d.attention(op, a)
	case *graph.CacheWriteOp:
		return d.cacheWrite(op, a)
	case *graph.CacheSelectOp:
		return d.cacheSelect(op, a)
	case *graph.MultistepOp:
		return d.multistep(op, a)
	case *graph.NotFiniteOp:
		return d.notFinite(op, a)
	case *graph.UnaryOp:
		return d.unary(op, a)
	case *graph.BinaryOp:
		return d.binary(op, a)
	case *graph.GEGLUOp:
		return d.geglu(op, a)
	case *graph.EmbedOp:
		return d.embed(op, a)
	case *graph.GatherOp:
		return d.gather(op, a)
	case *graph.ArgMaxOp:
		return d.argMax(op, a)
	case *graph.TopKOp:
		return d.topK(op, a)
	case *graph.ConcatOp:
		return d.concat(op, a)
	case *graph.SliceOp:
		return d.slice(op, a)
	case *graph.RepeatOp:
		return d.repeat(op, a)
	case *graph.PermuteOp:
		return d.permute(op, a)
	}
	return nil, fmt.Errorf("no kernel for %s", op.Attr.Kind())
}
