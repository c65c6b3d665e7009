/** Reads a body by the platform's own object, which is made when somebody asks. */
export abstract class PlainBody {
  protected abstract get whole(): Request | Response

  arrayBuffer() {
    return this.whole.arrayBuffer()
  }

  blob() {
    return this.whole.blob()
  }

  formData() {
    return this.whole.formData()
  }

  json() {
    return this.whole.json()
  }

  text() {
    return this.whole.text()
  }
}
