package vision

import (
	"errors"
	"fmt"
)

// zigzag is the natural place of each coefficient in the file's order.
var zigzag = [64]uint8{
	0, 1, 8, 16, 9, 2, 3, 10, 17, 24, 32, 25, 18, 11, 4, 5,
	12, 19, 26, 33, 40, 48, 41, 34, 27, 20, 13, 6, 7, 14, 21, 28,
	35, 42, 49, 56, 57, 50, 43, 36, 29, 22, 15, 23, 30, 37, 44, 51,
	58, 59, 52, 45, 38, 31, 39, 46, 53, 60, 61, 54, 47, 55, 62, 63,
}

// pass is what a scan header asks for.
type pass struct {
	comps          []*component
	first, last    int // coefficients, in the file's order
	refine, approx int // bits of precision before and after
}

// scan reads a scan header and the entropy-coded data behind it.
func (d *jpegDecoder) scan(b []byte) error {
	p, err := d.scanHeader(b)
	if err != nil {
		return err
	}
	if d.scans++; d.scans > maxScans {
		return fmt.Errorf("more than %d scans", maxScans)
	}
	decode := d.sequential
	if d.progressive {
		switch {
		case p.first == 0 && p.refine == 0:
			decode = d.dcFirst
		case p.first == 0:
			decode = d.dcRefine
		case p.refine == 0:
			decode = d.acFirst
		default:
			decode = d.acRefine
		}
	}
	d.restartScan(p)
	// One component alone is stored block by block, without MCU padding.
	nx, ny := d.mcusX, d.mcusY
	if len(p.comps) == 1 {
		nx, ny = p.comps[0].blocksW, p.comps[0].blocksH
	}
	for m := range nx * ny {
		if d.restart > 0 && m > 0 && m%d.restart == 0 {
			if err := d.nextInterval(p, m/d.restart-1); err != nil {
				return err
			}
		}
		if len(p.comps) == 1 {
			c := p.comps[0]
			err = decode(p, c, m/nx*c.strideB+m%nx)
		} else {
			err = d.mcu(p, m%nx, m/nx, decode)
		}
		if d.overrun() {
			return truncated(formatJPEG, "data ends after %d of %d blocks", m, nx*ny)
		}
		if err != nil {
			return err
		}
	}
	d.reset()
	for _, c := range p.comps {
		c.scanned = true
	}
	return nil
}

func (d *jpegDecoder) scanHeader(b []byte) (*pass, error) {
	if d.comps == nil {
		return nil, errors.New("scan before the frame header")
	}
	if len(b) < 1 || len(b) != 4+2*int(b[0]) || b[0] < 1 || b[0] > 4 {
		return nil, errors.New("scan header of wrong length")
	}
	n := int(b[0])
	p := &pass{}
	blocks := 0
	for i := range n {
		id, tables := b[1+2*i], b[2+2*i]
		for k := range d.comps {
			if c := &d.comps[k]; c.id == id {
				c.dcTable, c.acTable = tables>>4, tables&15
				p.comps = append(p.comps, c)
				blocks += c.h * c.v
				break
			}
		}
		if len(p.comps) != i+1 || tables>>4 > 3 || tables&15 > 3 {
			return nil, fmt.Errorf("scan of an unknown component or table (%d, %02x)", id, tables)
		}
		for _, c := range p.comps[:i] {
			if c == p.comps[i] {
				return nil, errors.New("component twice in a scan")
			}
		}
	}
	if n > 1 && blocks > 10 {
		return nil, errors.New("more than 10 blocks in an MCU")
	}
	tail := b[1+2*n:]
	p.first, p.last = int(tail[0]), int(tail[1])
	p.refine, p.approx = int(tail[2]>>4), int(tail[2]&15)
	if !d.progressive {
		for _, c := range p.comps {
			if c.scanned {
				return nil, errors.New("component in two scans")
			}
			if !d.hasQuant[c.quant] {
				return nil, fmt.Errorf("no quantisation table %d", c.quant)
			}
			if d.huff[0][c.dcTable] == nil || d.huff[1][c.acTable] == nil {
				return nil, errors.New("no Huffman table")
			}
		}
		return p, nil
	}
	dc := p.first == 0
	if p.last > 63 || p.first > p.last || dc && p.last != 0 || !dc && n != 1 || p.approx > 13 || p.refine > 13 {
		return nil, errors.New("bad progression")
	}
	for _, c := range p.comps {
		if dc && p.refine == 0 && d.huff[0][c.dcTable] == nil || !dc && d.huff[1][c.acTable] == nil {
			return nil, errors.New("no Huffman table")
		}
	}
	return p, nil
}

// restartScan begins a scan or an interval.
func (d *jpegDecoder) restartScan(p *pass) {
	d.reset()
	d.eobRun = 0
	for _, c := range p.comps {
		c.pred = 0
	}
}

// nextInterval steps over restart marker number k.
func (d *jpegDecoder) nextInterval(p *pass, k int) error {
	marker, ok := d.nextMarker()
	if !ok {
		return truncated(formatJPEG, "restart interval %d", k+1)
	}
	if marker != 0xD0+byte(k&7) {
		return fmt.Errorf("marker %02X where restart %d is due", marker, k)
	}
	d.restartScan(p)
	return nil
}

// mcu decodes the blocks of all the scan's components at one place.
func (d *jpegDecoder) mcu(p *pass, mx, my int, decode func(*pass, *component, int) error) error {
	for _, c := range p.comps {
		for v := range c.v {
			for h := range c.h {
				if err := decode(p, c, (my*c.v+v)*c.strideB+mx*c.h+h); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// sequential decodes a whole block and transforms it.
func (d *jpegDecoder) sequential(_ *pass, c *component, k int) error {
	var block [64]int32
	t, err := d.symbol(d.huff[0][c.dcTable])
	if err != nil || t > 15 {
		return errCode
	}
	c.pred += d.signed(int(t))
	block[0] = c.pred
	ac := d.huff[1][c.acTable]
	alone := true
	for z := 1; z < 64; z++ {
		s, err := d.symbol(ac)
		if err != nil {
			return err
		}
		run, size := int(s>>4), int(s&15)
		if size == 0 {
			if run != 15 {
				break
			}
			z += 15
			continue
		}
		if z += run; z > 63 {
			return errors.New("run past the end of a block")
		}
		block[zigzag[z]] = d.signed(size)
		alone = false
	}
	if alone {
		c.flat(k, c.pred*d.quant[c.quant][0])
	} else {
		c.transform(k, &block, &d.quant[c.quant])
	}
	return nil
}

// The four passes of progressive mode. Source: T.81 annex G.

func (d *jpegDecoder) dcFirst(p *pass, c *component, k int) error {
	t, err := d.symbol(d.huff[0][c.dcTable])
	if err != nil || t > 15 {
		return errCode
	}
	c.pred += d.signed(int(t))
	c.coef[64*k] = int16(c.pred << p.approx)
	return nil
}

func (d *jpegDecoder) dcRefine(p *pass, c *component, k int) error {
	c.coef[64*k] |= int16(d.take(1) << p.approx)
	return nil
}

func (d *jpegDecoder) acFirst(p *pass, c *component, k int) error {
	if d.eobRun > 0 {
		d.eobRun--
		return nil
	}
	block := c.coef[64*k : 64*k+64]
	ac := d.huff[1][c.acTable]
	for z := p.first; z <= p.last; z++ {
		s, err := d.symbol(ac)
		if err != nil {
			return err
		}
		run, size := int(s>>4), int(s&15)
		if size == 0 {
			if run != 15 {
				d.eobRun = 1<<run + int(d.take(run)) - 1
				break
			}
			z += 15
			continue
		}
		if z += run; z > p.last {
			return errors.New("run past the end of a band")
		}
		block[zigzag[z]] = int16(d.signed(size) << p.approx)
	}
	return nil
}

func (d *jpegDecoder) acRefine(p *pass, c *component, k int) error {
	block := c.coef[64*k : 64*k+64]
	ac := d.huff[1][c.acTable]
	bit := int16(1) << p.approx
	z := p.first
	for d.eobRun == 0 && z <= p.last {
		s, err := d.symbol(ac)
		if err != nil {
			return err
		}
		run, size := int(s>>4), int(s&15)
		var value int16
		switch {
		case size == 1:
			if value = -bit; d.take(1) == 1 {
				value = bit
			}
		case size != 0:
			return errors.New("refinement by more than one bit")
		case run != 15:
			d.eobRun = 1<<run + int(d.take(run))
		}
		if d.eobRun > 0 {
			break
		}
		z = d.refineRun(block, z, p.last, run, bit)
		if value != 0 {
			if z > p.last {
				return errors.New("run past the end of a band")
			}
			block[zigzag[z]] = value
		}
		z++
	}
	if d.eobRun > 0 {
		d.eobRun--
		d.refineRun(block, z, p.last, -1, bit)
	}
	return nil
}

// refineRun adds a bit to the coefficients that are set already, and stops at
// the zero one that follows run zeros (never, if run is negative).
func (d *jpegDecoder) refineRun(block []int16, z, last, run int, bit int16) int {
	for ; z <= last; z++ {
		v := &block[zigzag[z]]
		if *v == 0 {
			if run == 0 {
				break
			}
			run--
			continue
		}
		if d.take(1) == 1 && *v&bit == 0 {
			if *v >= 0 {
				*v += bit
			} else {
				*v -= bit
			}
		}
	}
	return z
}
