/* Search without a server: pages opened from the disk may start no worker, so a hidden frame is one.
   Material asks for IFrameWorker by this name and leaves the loading of scripts to it. */
if (location.protocol === "file:") {
  window.IFrameWorker = class extends EventTarget {
    constructor(url) {
      super();
      const frame = document.createElement("iframe");
      frame.hidden = true;
      document.body.appendChild(frame);
      const inside = frame.contentWindow;
      this.ready = new Promise(done => { inside.__ready = done; });
      this.inside = inside;
      inside.__answer = data => {
        const event = new MessageEvent("message", {data});
        this.dispatchEvent(event);
        if (this.onmessage) this.onmessage(event);
      };
      inside.document.open();
      inside.document.write(`<!doctype html><body><script>
        window.postMessage = data => __answer(data);
        window.importScripts = (...urls) => urls.reduce((before, url) => before.then(() =>
          new Promise((done, failed) => {
            const script = document.createElement("script");
            Object.assign(script, {src: url, onload: done, onerror: failed});
            document.body.appendChild(script);
          })), Promise.resolve());
      <\/script><script src="${url}" onload="__ready()"><\/script></body>`);
      inside.document.close();
    }
    postMessage(data) {
      this.ready.then(() => this.inside.dispatchEvent(new MessageEvent("message", {data})));
    }
    terminate() {}
  };
  window.Worker = window.IFrameWorker;
}
