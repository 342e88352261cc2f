//go:build cuda && linux

package cuda

import (
	"fmt"

	"gorgonia.org/cu"
)

// hopperTile is a tile of tc_gemm90.cu and tc_convt90.cu.
type hopperTile struct {
	m, n, stages int
	turns        bool    // a block's two warpgroups have tiles of their own, in turns
	speed        float64 // of its main loop, relative: measured on an H100 at 8192³
}

var hopperTiles = []hopperTile{
	{128, 128, 7, false, 0.89}, {128, 160, 6, false, 0.88}, {256, 128, 4, false, 1}, {256, 160, 4, false, 1},
	{128, 128, 7, true, 0.85}, {128, 160, 6, true, 0.85},
}

// String returns the end of its kernels' names.
func (t hopperTile) String() string {
	if t.turns {
		return fmt.Sprint("turns", t.n)
	}
	return fmt.Sprintf("%dx%d", t.m, t.n)
}

// shared returns the bytes of shared memory that a tile takes.
func (t hopperTile) shared() int { return t.stages*(t.m+t.n)*128 + 128 }

// The costs of a product beside its main loop, counted as products of a processor:
// of writing a tile, in depths of k; of a finishing launch; and of a value of a split
// sum, written and read.
const (
	writeOut   = 200
	launching  = 10e6
	splitValue = 6
	leastSteps = 6 // of 64 along k that a split has
)

// cost returns what a processor takes for so many tiles with sums of k products.
func (t hopperTile) cost(tiles int, k int) float64 {
	loop := float64(k) / t.speed
	if !t.turns || tiles == 1 {
		return float64(tiles*t.m*t.n) * (loop + writeOut)
	}
	// While one is written the next is multiplied.
	each := max(loop, (loop+writeOut)/2)
	return float64(t.m*t.n) * (float64(tiles)*each + writeOut)
}

// tilePlan is how a product is cut up: few or side says that it isn't one of Hopper's.
type tilePlan struct {
	few, side int // rows of a block of tc_few.cu; a tile's side in tc_gemm.cu
	part      int // columns of a part of an outTop
	tile      hopperTile
	splits    int // parts of the sums along k
	sums      int // where those lie in the step's temporary memory
}

// planTiles chooses the tile and the splits with which n columns of sums of k products
// for m rows end first, where tiles gives how many tiles cover the rows. Without s there
// are no splits.
func (d *Device) planTiles(s *scratch, tiles func(rows int) int, m, n, k int) (p tilePlan) {
	least := 0.0
	for _, t := range hopperTiles {
		all := tiles(t.m) * ceil(n, t.n)
		most := 1
		if s != nil && n%4 == 0 && all > 0 {
			most = max(1, min(d.processors/all, k/(64*leastSteps)))
		}
		for splits := 1; splits <= most; splits++ {
			cost := t.cost(ceil(all*splits, d.processors), ceil(k, splits))
			if splits > 1 {
				cost += launching + splitValue*float64(m*n*splits)
			}
			if p.splits == 0 || cost < least {
				p.tile, p.part, p.splits, least = t, t.n, splits, cost
			}
		}
	}
	if p.splits > 1 {
		p.sums = s.take(4 * p.splits * m * n)
	}
	return p
}

// at returns where the parts of the sums lie.
func (p *tilePlan) at(ws cu.DevicePtr) cu.DevicePtr { return ws + cu.DevicePtr(p.sums) }
