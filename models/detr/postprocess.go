package detr

import "math"

// Object is one detection.
type Object struct {
	Query int        // which of the model's queries found it
	Label int        // class id
	Score float32    // probability of the class
	Box   [4]float32 // left, top, right, bottom, in pixels of the target size
}

// PostProcess turns one picture's logits and boxes into objects whose score is
// above the threshold, in the order of the queries. Shapes: logits [Q,classes+1]
// with "no object" last, boxes [Q,4]; width and height are the original
// picture's. A query of which any value is NaN is dropped.
// Source: transformers image_processing_detr.py, post_process_object_detection.
func PostProcess(logits, boxes []float32, classes int, width, height float32, threshold float32) []Object {
	var found []Object
	for q := range len(boxes) / 4 {
		row := logits[q*(classes+1):][:classes+1]
		label, score := best(row)
		if !(score > threshold) {
			continue
		}
		b := boxes[q*4:][:4]
		if sum := b[0] + b[1] + b[2] + b[3]; sum != sum {
			continue
		}
		found = append(found, Object{q, label, score, [4]float32{
			(b[0] - b[2]/2) * width, (b[1] - b[3]/2) * height,
			(b[0] + b[2]/2) * width, (b[1] + b[3]/2) * height,
		}})
	}
	return found
}

// best returns the likeliest class but the last, and its probability.
func best(logits []float32) (label int, score float32) {
	top := float64(math.Inf(-1))
	for _, v := range logits {
		top = max(top, float64(v))
	}
	sum := 0.0
	for i, v := range logits {
		sum += math.Exp(float64(v) - top)
		if i < len(logits)-1 && v > logits[label] {
			label = i
		}
	}
	return label, float32(math.Exp(float64(logits[label])-top) / sum)
}
