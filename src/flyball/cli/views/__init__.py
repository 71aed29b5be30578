"""What a person sees of the verbs' answers: values in, things that rich can print out."""
