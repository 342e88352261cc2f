package vision

import "fmt"

// Picture is an RGB picture: Pix is [H,W,3] with nothing between the rows.
type Picture struct {
	W, H int
	Pix  []byte
}

// NewPicture returns a black picture. Panics on a size below 1.
func NewPicture(w, h int) *Picture {
	if w < 1 || h < 1 {
		panic(fmt.Sprintf("vision: picture of %d×%d", w, h))
	}
	return &Picture{W: w, H: h, Pix: make([]byte, w*h*3)}
}

// Row returns row y.
func (p *Picture) Row(y int) []byte { return p.Pix[y*p.W*3 : (y+1)*p.W*3] }

// Parallel runs body over parts of [0,n) and returns when all are done. nil
// means one part, in the calling goroutine. Results never depend on it.
type Parallel func(n int, body func(lo, hi int))

func (p Parallel) run(n int, body func(lo, hi int)) {
	if p == nil {
		body(0, n)
		return
	}
	p(n, body)
}
